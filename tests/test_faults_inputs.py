"""Bad input: any bytes at all are read, or refused in one error."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from annotate.image_forms import shown_image
from nlp.batch import Reader
from nlp.errors import ImageError, InputError, LexiconError
from nlp.lexicon import DEFAULT_FOLDER, FILES, load_lexicon
from nlp.normalise import view
from nlp.read import read_records
from nlp.stream import choose
from nlp.tables import open_table
from train.image_forms import read_grey
from train.image_paths import chosen_images

LEXICON = load_lexicon()
SUFFIXES = (".csv", ".tsv", ".jsonl", ".xlsx", ".parquet", ".txt", "")
CELLS = st.sampled_from(
    [
        '"',
        '""',
        ",",
        ";",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "a.png",
        "007",
        "NA",
        "None",
        "1E+05",
        "=1+1",
        "\ufeff",
        "\0",
        "é",
        "%0",
    ]
)
MESSY = st.lists(st.one_of(CELLS, st.text(max_size=4)), max_size=60).map("".join)
BYTES = st.one_of(
    st.binary(max_size=300),
    MESSY.map(lambda text: f"image,patient_id,caption\n{text}".encode("utf-8", "surrogatepass")),
    MESSY.map(lambda text: text.encode("utf-16", "surrogatepass")),
    MESSY.map(lambda text: json.dumps({"image": text, "caption": text}).encode() + b"\n" + text.encode("utf-8", "replace")),
    st.sampled_from([b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"%PDF"]).flatmap(lambda head: st.binary().map(lambda b: head + b)),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inputs")


@settings(max_examples=100)
@given(content=BYTES, suffix=st.sampled_from(SUFFIXES), batch_rows=st.integers(1, 5))
def test_faults_inputs_any_bytes_are_a_table_or_one_error(
    folder: Path, content: bytes, suffix: str, batch_rows: int
) -> None:
    path = folder / f"table{suffix}"
    path.write_bytes(content)
    batches, said = [], ""
    try:
        table = open_table(path)
        columns, _ = choose(table, {}, LEXICON)
        batches = list(read_records(table, columns, batch_rows=batch_rows))
    except InputError as error:
        said = str(error)
    assert not said or str(path) in said or "column" in said
    images = [image for batch in batches for image in batch.records.column("image").to_pylist()]
    numbers = [number for batch in batches for number in batch.numbers.to_pylist()]
    refused = [row.row for batch in batches for row in batch.rejected]
    assert len(set(images)) == len(images) and all(images)
    assert len({*numbers, *refused}) == len(numbers) + len(refused) == sum(batch.rows for batch in batches)


@settings(max_examples=60)
@given(rows=st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=12))
def test_faults_inputs_a_well_written_table_is_rows_or_rejected_rows(
    folder: Path, rows: list[list[str]]
) -> None:
    """Whatever stands in the cells: as many rows come out as went in."""
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    try:
        writer.writerows([["image", "patient_id", "caption"], *rows])
        data = content.getvalue().encode()
    except (UnicodeEncodeError, csv.Error):
        return
    path = folder / "written.csv"
    path.write_bytes(data)
    asked = {"image": "image", "patient": "patient_id", "text": "caption"}
    try:
        table = open_table(path)
        columns, _ = choose(table, asked, LEXICON)
        found = sum(batch.rows for batch in read_records(table, columns))
    except InputError:
        assert "\0" in content.getvalue()
        return
    assert found == len(rows)


@settings(max_examples=25)
@example(name="abbreviations.csv", place=0.0, change=b"\n", cut=0)
@given(
    name=st.sampled_from(sorted(FILES)),
    place=st.floats(0, 1, exclude_max=True),
    change=st.one_of(st.binary(min_size=1, max_size=6), CELLS.map(lambda text: text.encode())),
    cut=st.integers(0, 40),
)
def test_faults_inputs_a_changed_lexicon_loads_or_names_its_mistakes(
    folder: Path, name: str, place: float, change: bytes, cut: int
) -> None:
    changed = folder / "lexicon"
    changed.mkdir(exist_ok=True)
    for each in FILES:
        (changed / each).write_bytes((DEFAULT_FOLDER / each).read_bytes())
    content = (changed / name).read_bytes()
    at = int(place * len(content))
    (changed / name).write_bytes(content[:at] + change + content[at + cut :])
    said: Sequence[str] = ()
    try:
        assert load_lexicon(changed).findings
    except LexiconError as error:
        said = error.problems
    assert all(problem.partition(":")[0] in FILES for problem in said), said


@settings(max_examples=100)
@given(text=MESSY.flatmap(lambda mess: st.sampled_from(["ground-glass", "no consolidation", "['crazy paving',", ""]).map(
    lambda words: f"{mess}{words}{mess[::-1]}")))  # fmt: skip
def test_faults_inputs_offsets_point_into_the_text_as_it_was(text: str, shared_reader: Reader) -> None:
    assert len(view(text)) == len(text)
    read = shared_reader.read_text(text)
    for mention in read.mentions:
        assert text[mention.start : mention.end] == mention.text


@settings(max_examples=80)
@example(kind="TIFF", mode="RGB", changes=[], length=0.0625, extra=b"")
@example(kind="TIFF", mode="L", changes=[], length=0.05, extra=b"\0\0\1\0\0\0\0")
@given(
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"]),
    mode=st.sampled_from(["L", "RGB", "RGBA", "P", "1", "I;16"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    length=st.floats(0, 1),
    extra=st.binary(max_size=20),
)
def test_faults_inputs_a_damaged_image_is_an_image_or_one_error(
    folder: Path, kind: str, mode: str, changes: Sequence[tuple[float, int]], length: float, extra: bytes
) -> None:
    image, whole = Image.new(mode, (24, 18), 1), io.BytesIO()
    try:
        image.save(whole, kind)
    except (OSError, ValueError, KeyError):  # no such form of this kind
        Image.new("L", (24, 18), 1).save(whole, kind)
    content = bytearray(whole.getvalue())
    for place, value in changes:
        content[int(place * len(content))] = value
    path = folder / "image.png"
    path.write_bytes(bytes(content[: int(length * len(content))]) + extra)
    readers: tuple[Callable[[Path], object], ...] = (read_grey, shown_image)
    for read in readers:
        said = path.name
        try:
            assert read(path) is not None
        except ImageError as error:
            said = str(error)
        assert path.name in said


def dicom() -> bytes:
    pydicom = pytest.importorskip("pydicom", reason="DICOM comes with the extra dicom")
    return (Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm").read_bytes()


def archive() -> bytes:
    whole, picture = io.BytesIO(), io.BytesIO()
    Image.effect_noise((24, 18), 50).save(picture, "PNG")
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("a.png", "day 2/b.png"):
            file.writestr(name, picture.getvalue())
    return whole.getvalue()


@settings(max_examples=40)
@given(data=st.data(), name=st.sampled_from(["a.zip", "a.dcm", "noending"]))
def test_faults_inputs_damaged_archives_and_dicom_files_are_images_or_problems(
    folder: Path, data: st.DataObject, name: str
) -> None:
    content = bytearray(archive() if name == "a.zip" else dicom())
    places = st.integers(0, min(len(content), 4000) - 1)  # of DICOM the header, where all is decided
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place] = value
    below = folder / "received"
    shutil.rmtree(below, ignore_errors=True)
    below.mkdir()
    (below / name).write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    for chosen in chosen_images([below / name]):
        said = chosen.problem
        try:
            assert said or read_grey(chosen.path).ndim == 2
        except ImageError as error:
            said = str(error)
        assert not said or str(below / name) in said
    assert [path.name for path in below.iterdir()] == [name]
