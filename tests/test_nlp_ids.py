"""Ids: images that come again, and patients that are made up."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.ids import CHANGED, NEW, REPEATED, SeenImages, made_up_patients
from tests.reading import HEADER, PROSE, read, records, warned, write_table


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=60), st.integers(1, 7))
def test_ids_remembers_images_as_a_dictionary_would(rows: list[tuple[int, int]], size: int) -> None:
    seen, known, expected, found = SeenImages(), {}, [], []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        for image, content in batch:
            first = known.setdefault(image, content) if image in known else None
            known.setdefault(image, content)
            expected.append(NEW if first is None else REPEATED if first == content else CHANGED)
        ids = pa.array([str(image) for image, _ in batch], pa.string())
        contents = pa.array([f"{image}:{content}" for image, content in batch], pa.string())
        found += seen.check(ids, contents).tolist()
    assert found == expected


@pytest.mark.parametrize(
    ("image", "source", "patient"),
    [
        ("2020.02.10.20021584-p6-52%0.png", "", "figure:2020.02.10.20021584-p6-52"),
        ("2020.02.10.20021584-p6-52%15.png", "", "figure:2020.02.10.20021584-p6-52"),
        ("covid/fig_1.jpg", "", "figure:covid/fig"),
        ("covid/fig_2.jpg", "", "figure:covid/fig"),
        ("ROCO_81825.jpg", "", "figure:ROCO_81825"),  # a number of the collection, not of a part
        ("a%1", "Hospital North", "figure:a"),  # a hospital is not one patient
        ("a%1.png", " 10.1148/radiol.2020200432 ", "source:10.1148/radiol.2020200432"),
        ("b.png", "PMC3830306", "source:PMC3830306"),
    ],
)
def test_ids_makes_up_one_patient_per_article_or_figure(image: str, source: str, patient: str) -> None:
    assert made_up_patients(pa.array([image]), pa.array([source])).to_pylist() == [patient]


def test_ids_completes_and_trims_patients_and_says_so(tmp_path: Path) -> None:
    rows = [("a%0.png", "Patient 9 ", PROSE), ("b%0.png", " ", PROSE), ("b%1.png", "", PROSE)]
    batches = read(write_table(tmp_path / "a.csv", HEADER, rows))
    assert [(r["patient_id"], r["flags"]) for r in records(batches)] == [
        ("Patient 9", ""),
        ("figure:b", "patient_made_up"),
        ("figure:b", "patient_made_up"),
    ]
    assert warned(batches) == {"patient_made_up": (2, 3), "patient_trimmed": (1, 2)}
