"""Progress on a terminal: rows, rate and remaining time; anywhere else one line at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from nlp.command import duration


class Progress:
    r"""Called with rows so far and the share of the input, writes at most twice a second.

    >>> import io
    >>> times = iter([0.0, 2.0])
    >>> stream = io.StringIO()
    >>> Progress(stream, clock=lambda: next(times)).finish(500)
    >>> stream.getvalue()
    '500 rows in 2.0 s, 250 rows/s\n'
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._start = clock()
        self._shown = self._start
        self._live = self._stream.isatty()

    def __call__(self, rows: int, done: float) -> None:
        """Show how far the run is; ``done`` is the share of the input that was read, 0 if unknown."""
        if not self._live:
            return
        now = self._clock()
        if now - self._shown >= 0.5:
            self._shown = now
            self._stream.write(f"\r\x1b[K{self._line(rows, done, now - self._start)}")
            self._stream.flush()

    def finish(self, rows: int) -> None:
        """Replace the line by the final figures."""
        seconds = max(self._clock() - self._start, 1e-9)
        clear = "\r\x1b[K" if self._live else ""
        self._stream.write(f"{clear}{rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} rows/s\n")
        self._stream.flush()

    def _line(self, rows: int, done: float, seconds: float) -> str:
        line = f"{rows:,} rows, {rows / max(seconds, 1e-9):,.0f} rows/s"
        if 0 < done <= 1:
            line += f", {done:.0%}, {duration(seconds * (1 - done) / done)} left"
        return line
