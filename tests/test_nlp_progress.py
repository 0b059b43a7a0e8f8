"""Progress: on a terminal only, and not too often."""

from __future__ import annotations

import io

from nlp.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_on_a_terminal_only() -> None:
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        clock = iter([0.0, 2.0, 2.1, 4.0, 5.0])
        progress = Progress(stream, clock=lambda clock=clock: next(clock))
        for rows, done in ((200, 0.25), (210, 0.26), (400, 0.5)):
            progress(rows, done)
        assert ("200 rows, 100 rows/s, 25%, 6 s left" in stream.getvalue()) == shown
        assert ("400 rows, 100 rows/s, 50%, 4 s left" in stream.getvalue()) == shown
        assert "210" not in stream.getvalue()  # at most twice a second
        progress.finish(500)
        assert stream.getvalue().endswith(
            f"500 rows in {5 if shown else 2}.0 s, {100 if shown else 250} rows/s\n"
        )
