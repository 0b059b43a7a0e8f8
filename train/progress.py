"""What a long command tells on stderr: lines for good, and on a terminal one line that moves."""

from __future__ import annotations

import time
from typing import TextIO


class Log:
    """Called with a line to keep; ``live`` shows a passing one, at most twice a second.

    Args:
        stream: such as stderr; None keeps silent.
        prefix: begins every line, such as the fold.
    """

    def __init__(self, stream: TextIO | None, prefix: str = "") -> None:
        self._stream = stream
        self._prefix = prefix
        self._terminal = stream is not None and stream.isatty()
        self._shown = 0.0

    def __call__(self, text: str) -> None:
        """Write a line."""
        if self._stream is not None:
            clear = "\r\x1b[K" if self._terminal else ""
            print(f"{clear}{self._prefix}{text}", file=self._stream, flush=True)

    def live(self, text: str) -> None:
        """Show a line until the next."""
        now = time.monotonic()
        if self._stream is not None and self._terminal and now - self._shown > 0.5:
            self._shown = now
            self._stream.write(f"\r\x1b[K{self._prefix}{text}")
            self._stream.flush()

    def images(self, done: int, share: float) -> None:
        """Progress of ``train.cache.load_images``."""
        self.live(f"images read: {done:,} ({share:.0%})")

    def within(self, prefix: str) -> Log:
        """The same, with a prefix to every line."""
        return Log(self._stream, self._prefix + prefix)


SILENT = Log(None)
