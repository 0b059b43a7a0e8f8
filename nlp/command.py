"""What every command shares: exit codes and the one-message rule for errors."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from nlp.errors import ToolkitError

_OWN = {"annotate", "nlp", "train"}
DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def run_command(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse, run and translate errors: a ``ToolkitError`` becomes one message and exit code 1.

    ``--debug`` is added to every command and shows the traceback.
    """
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(arguments)
    try:
        command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (ToolkitError, OSError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and str(error.name).split(".")[0] in _OWN:
            raise  # a mistake of ours
        if options.debug:
            traceback.print_exc()
        print(f"error: {_said(error)}", file=sys.stderr)
        return FAILED
    return DONE


def duration(seconds: float) -> str:
    """Time as a person would say it.

    >>> duration(61), duration(7300)
    ('1 min 1 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _said(error: Exception) -> str:
    """The message; of a library that is not installed, how to get it."""
    if not isinstance(error, ModuleNotFoundError):
        return str(error)
    return f'{error.name} is not installed; it comes with the extras: pip install "lesion-labels[annotate,train,spark]"'
