"""Every command: exit codes, and one message instead of a traceback."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable

import pytest

from nlp.command import DONE, FAILED, INTERRUPTED, USAGE, run_command
from nlp.errors import ContractError, InputError, LexiconError, OutputError, ToolkitError


def run(command: Callable[[argparse.Namespace], None], *arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="tool")
    parser.add_argument("--number", type=int)
    return run_command(parser, command, arguments)


def fails_with(error: BaseException) -> Callable[[argparse.Namespace], None]:
    def command(options: argparse.Namespace) -> None:
        raise error

    return command


def test_command_exit_codes_are_those_of_the_contract() -> None:
    assert (DONE, FAILED, USAGE, INTERRUPTED) == (0, 1, 2, 130)


def test_command_hands_the_options_over_and_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda options: print(options.number + 1), "--number", "6") == DONE
    assert capsys.readouterr() == ("7\n", "")


@pytest.mark.parametrize(
    "error",
    [
        ToolkitError("row 3: bad"),
        InputError("row 3: bad"),
        ContractError("row 3: bad"),
        OutputError("row 3: bad"),
        OSError("row 3: bad"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_command_an_error_is_one_message_and_exit_code_one(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fails_with(error)) == FAILED
    assert capsys.readouterr() == ("", "error: row 3: bad\n")


def test_command_a_lexicon_error_lists_every_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fails_with(LexiconError(["a.csv:2:x: bad", "b.csv:3:y: worse"]))) == FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["error: 2 mistakes in the lexicon:", "a.csv:2:x: bad", "b.csv:3:y: worse"]


def test_command_debug_shows_the_traceback_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fails_with(InputError("row 3: bad")), "--debug") == FAILED
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.endswith("error: row 3: bad\n")


def test_command_names_the_extra_of_a_library_that_is_not_installed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(fails_with(ModuleNotFoundError("No module named 'torch'", name="torch"))) == FAILED
    assert 'torch is not installed; it comes with the extras: pip install "' in capsys.readouterr().err


def test_command_a_missing_module_of_our_own_is_not_said_to_be_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError):
        run(fails_with(ModuleNotFoundError("No module named 'train.gone'", name="train.gone")))


def test_command_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(fails_with(ZeroDivisionError()))


def test_command_an_interrupt_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fails_with(KeyboardInterrupt())) == INTERRUPTED
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize("arguments", [["--nunber", "6"], ["--number", "six"], ["--number"]])
def test_command_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda options: None, *arguments)
    assert ended.value.code == USAGE
    assert "usage: tool" in capsys.readouterr().err


def test_command_a_closed_pipe_is_no_error() -> None:
    script = (
        "import argparse, sys; from nlp.command import run_command;"
        "sys.exit(run_command(argparse.ArgumentParser(), lambda options: [print(n) for n in range(100_000)], []))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == DONE
