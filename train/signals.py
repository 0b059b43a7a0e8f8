"""SIGTERM and Ctrl-C while training: the step is finished and the state saved before the program ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(KeyboardInterrupt):
    """A training stopped on request; its state is saved. Commands end with exit code 130."""


@contextmanager
def stop_asked(saves: bool) -> Iterator[Callable[[], bool]]:
    """A question to ask after every step: has somebody asked to stop?

    A second signal stops at once. The former handlers come back.

    Args:
        saves: False leaves signals as they are, for a training that saves nothing.
    """
    asked = threading.Event()
    if not saves or threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {each: signal.signal(each, note) for each in SIGNALS}
    try:
        yield asked.is_set
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
