from __future__ import annotations

import io

from train.progress import SILENT, Log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_lines_stay_and_passing_ones_only_show_on_a_terminal() -> None:
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        log = Log(stream).within("fold-1: ")
        log.images(3, 0.5)
        log("epoch 1")
    assert file.getvalue() == "fold-1: epoch 1\n"
    assert terminal.getvalue() == "\r\x1b[Kfold-1: images read: 3 (50%)\r\x1b[Kfold-1: epoch 1\n"


def test_progress_silent_says_nothing() -> None:
    SILENT("nothing")
    SILENT.live("nothing")
