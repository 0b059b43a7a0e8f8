"""``python -m train.contact_sheet``: what people look at before they trust the crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.contact_sheet import TILE, main

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples" / "images").iterdir())[:3]


def test_contact_sheet_shows_boxes_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blank = tmp_path / "in" / "flat.png"
    blank.parent.mkdir()
    Image.new("L", (64, 64), 90).save(blank)
    out = tmp_path / "sheet.png"
    assert main([*map(str, EXAMPLES), str(blank.parent), "-o", str(out), "--columns", "2"]) == 0
    assert "4 slices, 1 taken whole" in capsys.readouterr().out
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (2 * TILE[1], 2 * TILE[0], 3)
    for colour in ((0, 255, 0), (255, 0, 0)):
        assert (sheet == colour).all(axis=2).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "1 of 1 images cannot be read"),
        (["none.png", "-o", "sheet.jpg"], "must end in .png"),
        (["none.png", "--columns", "0"], "at least one"),
    ],
)
def test_contact_sheet_mistakes_are_one_message(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
