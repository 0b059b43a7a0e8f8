"""``annotate.export_boxes``: boxes drawn at the desk are the boxes that the trainer reads."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from annotate.decision_forms import Box
from annotate.export import export_zip, main
from annotate.export_boxes import BOX_COLUMNS, boxes_table
from annotate.export_data import Data, read_data
from annotate.export_files import Form
from annotate.export_marks import Marks
from annotate.image_sizes import image_size
from annotate.store import Store, open_store
from annotate.store_tables import RECORD
from nlp.command import DONE, FAILED
from nlp.lexicon import load_lexicon
from tests.made_decisions import decision, keep, people
from train import lesion_marks

LEXICON = load_lexicon()
GGO, CSLD = LEXICON.finding_keys[:2]
IMAGES = Path(__file__).parents[1] / "examples" / "images"
SHOWN = "fig06.jpg"


@pytest.fixture
def example(example_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    """The example, on whose one record two people drew."""
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'labels.db')}"
    with closing(open_store(url)) as store:
        people(store, "anna", "bob")
        with store.read() as connection:
            record = connection.scalar(sa.select(RECORD.c.id).where(RECORD.c.image == SHOWN)) or 0
        labels = {GGO: "1", CSLD: "0"}
        drawn = [{"finding": GGO, "left": 10.4, "top": 20.0, "right": 30.1, "bottom": 41.0}]
        keep(store, "anna", decision(store, record, labels=labels, boxes=drawn))
        both = [*drawn, {**drawn[0], "finding": CSLD}, {**drawn[0], "left": 10.0, "right": 31.0}]
        keep(store, "bob", decision(store, record, labels=labels, boxes=both))
        yield store


def test_export_boxes_are_read_by_the_trainer(
    example: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, boxes = tmp_path / "labelled.csv", tmp_path / "boxes.csv"
    assert main(["--db", example.url, "-o", str(table), "--boxes", str(boxes)]) == DONE
    assert "boxes: 1 of 3; the others repeat one" in capsys.readouterr().out
    read = lesion_marks.read_boxes(boxes, LEXICON.finding_keys)
    assert read == {SHOWN: [lesion_marks.LesionBox(GGO, 10, 20, 31, 41)]}
    with Image.open(IMAGES / SHOWN) as image:
        shape = (image.height, image.width)
    area = lesion_marks.Marks(LEXICON.finding_keys, boxes=read).of(IMAGES / SHOWN, shape)
    assert np.argwhere(area[GGO])[[0, -1]].tolist() == [[20, 10], [40, 30]]
    assert tuple(column.name for column in BOX_COLUMNS) == lesion_marks.COLUMNS


def test_export_boxes_lie_in_the_archive_where_there_are_any(example: Store) -> None:
    data = read_data(example)
    for wanted, marks in ((True, data.marks), (False, replace(data.marks, boxes={}))):
        content = export_zip(replace(data, marks=marks), LEXICON, Form(), now=0)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            assert ("boxes.csv" in archive.namelist()) == wanted


def test_export_boxes_need_a_file_of_their_own_and_a_table(
    example: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--db", example.url, "-o", str(tmp_path / "out.csv"), "--boxes", str(tmp_path / "out.csv")]
    assert main(out) == FAILED
    assert "one file" in capsys.readouterr().err
    tasks = ["--db", example.url, "--format", "label-studio", "-o", str(tmp_path / "out.json")]
    assert main([*tasks, "--boxes", str(tmp_path / "boxes.csv")]) == FAILED
    assert "leave out --mentions and --boxes" in capsys.readouterr().err


def test_export_boxes_name_the_file_and_are_safe_in_a_spreadsheet(example: Store, tmp_path: Path) -> None:
    data = read_data(example)
    assert boxes_table(replace(data, files={SHOWN: "sub/=a.jpg"}))["image"].tolist() == ["sub/=a.jpg"]
    boxes = tmp_path / "boxes.csv"
    with example.write() as connection:
        connection.execute(RECORD.update().where(RECORD.c.image == SHOWN).values(file="=a.jpg"))
    out = ["--db", example.url, "-o", str(tmp_path / "out.csv"), "--boxes", str(boxes), "--spreadsheet"]
    assert main(out) == DONE
    with boxes.open(encoding="utf-8", newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["'=a.jpg"]


def test_image_size_is_that_of_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("L", (30, 20)).save(tmp_path / "lying.jpg", exif=exif)
    Image.new("L", (30, 20)).save(tmp_path / "plain.png")
    assert image_size(tmp_path, "lying.jpg") == shown_size(tmp_path / "lying.jpg") == (20, 30)
    assert image_size(tmp_path, "plain.png") == (30, 20)


def shown_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).size


sides = st.floats(0, 400, allow_nan=False).map(lambda side: round(side, 3))


@given(
    st.lists(sides, min_size=2, max_size=2, unique=True), st.lists(sides, min_size=2, max_size=2, unique=True)
)
def test_export_boxes_are_whole_pixels_around_what_was_drawn(
    example_data: Data, across: list[float], down: list[float]
) -> None:
    (left, right), (top, bottom) = sorted(across), sorted(down)
    marks = replace(example_data.marks, boxes={SHOWN: (Box(GGO, left, top, right, bottom),)})
    (row,) = boxes_table(replace(example_data, marks=marks)).itertuples(index=False)
    found = [int(side) for side in row[2:]]
    assert found[0] <= left < right <= found[2] and found[1] <= top < bottom <= found[3]
    assert found[2] - found[0] < right - left + 2 and found[3] - found[1] < bottom - top + 2


@pytest.fixture(scope="module")
def example_data(example_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Data:
    """The example as it was loaded."""
    folder = tmp_path_factory.mktemp("boxes")
    with closing(open_store(str(shutil.copy(example_sqlite, folder / "labels.db")))) as store:
        data = read_data(store)
    assert isinstance(data.marks, Marks)
    return data
