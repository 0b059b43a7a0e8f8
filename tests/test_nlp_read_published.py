"""The published tables, read as they are."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.reading import chosen, error_of, read, records, rejected, warned

NEW = "data/covid-ct/COVID-CT-MetaInfo_new.csv"


@pytest.mark.parametrize(
    ("name", "encoding", "image", "text", "patient", "count"),
    [
        (NEW, "gb18030", 0, 8, 1, 349),
        ("data/covid-ct/COVID-CT-MetaInfo.csv", None, 0, 10, 1, 349),
        ("data/text/captions_reference.csv", None, 0, 1, None, 149),
        ("data/text/open_reference.csv", None, 0, 2, None, 137),
    ],
)
def test_read_takes_the_published_tables_untouched(
    shared: Path, name: str, encoding: str | None, image: int, text: int, patient: int | None, count: int
) -> None:
    path = shared / name
    found = chosen(path, encoding=encoding)
    assert (found["image"], found["text"], found["patient"]) == (image, text, patient)
    with path.open(encoding=encoding or "utf-8-sig", newline="") as handle:
        expected = [(row[image], row[text]) for row in list(csv.reader(handle))[1:]]
    batches = read(path, encoding=encoding)
    assert [(r["image"], r["caption"]) for r in records(batches)] == expected
    assert len(expected) == count
    assert not rejected(batches)


def test_read_asks_how_the_published_gb18030_file_is_encoded(shared: Path) -> None:
    message = error_of(shared / NEW)
    assert "is not UTF-8 (byte 10757, line" in message
    assert "  gb18030   ,,C0VID19,GGO" in message


def test_read_warns_of_the_faults_of_the_published_file(shared: Path) -> None:
    batches = read(shared / NEW, encoding="gb18030", batch_rows=1000)
    assert warned(batches) == {"patient_trimmed": (1, 290), "no_suffix": (83, 266)}
