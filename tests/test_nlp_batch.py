"""The core: one batch in, labels and mentions out, by the contract and in any order."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.batch import Reader, label_batch
from nlp.schema import COVID, MENTION_COLUMNS, RECORD_COLUMNS, label_columns, row_problems

Batch = Callable[..., pa.RecordBatch]
Generated = st.SearchStrategy[str]
CAPTIONS = (
    "Bilateral ground-glass opacities in a man with COVID-19.",
    "No consolidation, GGO or septal thickening.",
    "(A) Possible crazy paving. (B) The consolidation has completely resolved.",
    "The heart is of normal size.",
    "",
)


@settings(max_examples=50)
@given(data=st.data())
def test_batch_the_order_of_rows_never_changes_a_result(
    shared_reader: Reader, make_batch: Batch, generated: Generated, data: st.DataObject
) -> None:
    texts = data.draw(st.lists(generated, max_size=6))
    order = data.draw(st.permutations(range(len(texts))))
    batch = make_batch(texts, panel=["A" if n % 2 else "" for n in range(len(texts))])
    labels, mentions = label_batch(batch, shared_reader)
    moved = label_batch(batch.take(pa.array(order, pa.int32())), shared_reader)
    assert moved.labels.to_pylist() == [labels.to_pylist()[n] for n in order]
    images = [labels.column("image")[n].as_py() for n in order]
    rows = mentions.to_pylist()
    assert moved.mentions.to_pylist() == [row for image in images for row in rows if row["image"] == image]


# ---- the contract


@settings(max_examples=50)
@given(data=st.data())
def test_batch_every_row_keeps_the_contract(
    shared_reader: Reader, make_batch: Batch, generated: Generated, data: st.DataObject
) -> None:
    texts = data.draw(st.lists(generated, max_size=4))
    labels, mentions = label_batch(make_batch(texts), shared_reader)
    columns = label_columns(shared_reader.lexicon.finding_keys)
    assert labels.schema.names == [column.name for column in columns]
    assert labels.column("caption").to_pylist() == texts
    for row in labels.to_pylist():
        assert row_problems(row, columns) == []
    for row in mentions.to_pylist():
        written = {key: "" if cell is None else str(cell) for key, cell in row.items()}
        assert row_problems(written, MENTION_COLUMNS) == []


def test_batch_types_are_text_but_for_places_and_scores(shared_reader: Reader, make_batch: Batch) -> None:
    for captions in (CAPTIONS, [""], []):
        labels, mentions = label_batch(make_batch(captions), shared_reader)
        assert set(labels.schema.types) == {pa.string()}
        types = {field.name: field.type for field in mentions.schema if field.type != pa.string()}
        places = dict.fromkeys(("start", "end", "cue_start", "cue_end"), pa.int32())
        assert types == {**places, "score": pa.float64()}
        assert mentions.schema.names == [column.name for column in MENTION_COLUMNS]


def test_batch_an_empty_batch_gives_empty_tables(shared_reader: Reader, make_batch: Batch) -> None:
    labels, mentions = label_batch(make_batch([]), shared_reader)
    assert labels.num_rows == mentions.num_rows == 0


def test_batch_what_comes_in_goes_out_untouched(shared_reader: Reader, make_batch: Batch) -> None:
    batch = make_batch(CAPTIONS, diagnosis=["NA", "None", "=1+1", " x ", ""], source=["007"] * 5)
    before = batch.to_pylist()
    labels = label_batch(batch, shared_reader).labels.to_pylist()
    kept = [name for name in RECORD_COLUMNS if name not in (COVID, "flags")]
    assert [[row[name] for name in kept] for row in labels] == [
        [row[name] for name in kept] for row in before
    ]
    assert batch.to_pylist() == before


def test_batch_cells_follow_the_states(shared_reader: Reader, make_batch: Batch) -> None:
    labels = label_batch(make_batch(CAPTIONS), shared_reader).labels
    keys = shared_reader.lexicon.finding_keys
    cells = {key: labels.column(key).to_pylist() for key in keys}
    assert cells == {
        "ground_glass_opacity": ["1", "0", "", "", ""],
        "consolidation": ["", "0", "0", "", ""],
        "crazy_paving": ["", "", "-1", "", ""],
        "air_bronchogram": ["", "", "", "", ""],
        "septal_thickening": ["", "0", "", "", ""],
    }
    assert set(labels.column("review").to_pylist()) == {"auto"}
    assert set(labels.column("split").to_pylist()) == {""}
    assert set(labels.column("lexicon_version").to_pylist()) == {shared_reader.lexicon.version}


# ---- flags, the COVID column, hostile text


@pytest.mark.parametrize(
    ("given_cell", "text", "cell", "flag"),
    [
        ("", "A man with COVID-19.", "1", ""),
        ("", "Suspected COVID-19.", "-1", ""),
        ("", "COVID-19 was ruled out.", "0", ""),
        ("", "Consolidation.", "", ""),
        ("1", "A man with COVID-19.", "1", ""),
        ("1", "COVID-19 was ruled out.", "1", "covid_conflict"),
        ("0", "A man with COVID-19.", "0", "covid_conflict"),
        ("1", "Consolidation.", "1", ""),
        ("0", "Suspected COVID-19.", "0", ""),
        ("-1", "A man with COVID-19.", "-1", ""),
    ],
)
def test_batch_a_given_covid_column_is_kept_and_a_contradiction_flagged(
    shared_reader: Reader, make_batch: Batch, given_cell: str, text: str, cell: str, flag: str
) -> None:
    labels = label_batch(make_batch([text], covid19=[given_cell]), shared_reader).labels
    assert (labels.column(COVID)[0].as_py(), labels.column("flags")[0].as_py()) == (cell, flag)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u3000\u00a0"])
def test_batch_a_blank_caption_is_flagged_and_says_nothing(
    shared_reader: Reader, make_batch: Batch, text: str
) -> None:
    labels, mentions = label_batch(make_batch([text]), shared_reader)
    assert labels.column("flags").to_pylist() == ["no_text"]
    assert mentions.num_rows == 0


def test_batch_flags_that_were_there_stay_in_front(shared_reader: Reader, make_batch: Batch) -> None:
    batch = make_batch(
        ["(A) GGO. (B) Consolidation in COVID-19.", ""], flags=["patient_made_up"] * 2, covid19=["0", ""]
    )
    flags = label_batch(batch, shared_reader).labels.column("flags").to_pylist()
    assert flags == ["patient_made_up;ambiguous_panel;covid_conflict", "patient_made_up;no_text"]


def test_batch_html_in_a_caption_is_only_text(shared_reader: Reader, make_batch: Batch) -> None:
    text = "<script>alert('no')</script><b>Consolidation</b> &amp; <i>no GGO</i>."
    labels, mentions = label_batch(make_batch([text]), shared_reader)
    assert labels.column("caption").to_pylist() == [text]
    found = {row["text"]: row["assertion"] for row in mentions.to_pylist()}
    assert found == {"Consolidation": "present", "GGO": "negated"}
    for row in mentions.to_pylist():
        assert text[row["start"] : row["end"]] == row["text"]
