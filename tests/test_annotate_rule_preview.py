"""The preview of an edited lexicon: few captions are read, and the result is that of reading all of them."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from annotate.decisions import Decision, save
from annotate.lexicon_edit import rows_of, text_of, with_term
from annotate.lexicon_versions import load_files, own_version
from annotate.people import add_user
from annotate.reread import read_again, stored_records
from annotate.rule_captions import Captions, index_captions
from annotate.rule_changes import Change, changed_cells
from annotate.rule_effects import Effects
from annotate.rule_html import cells_text, evidence_html, people_text, style
from annotate.rule_narrow import narrow
from annotate.rule_preview import Previewer
from annotate.store import Store
from annotate.store_tables import RECORD
from nlp.aggregate import of_panel, states
from nlp.errors import LexiconError
from nlp.lexicon import load_lexicon
from nlp.reader import Reader
from tests.lexicon_edits import edited, thinned

ROOT = Path(__file__).resolve().parent.parent
FINDINGS = load_lexicon().finding_keys
ON_SQLITE = pytest.mark.parametrize("example_store", ["sqlite"], indirect=True)
"""For what asks the database nothing new: building a reader takes its time."""
PANELS = ("", "A", "B", "C")
UGLY = (
    "Large leftlungconsolidation; no air-bronchogram.GGO",
    "CT: ground-\nglass opacities. FINDINGS: septal thickning, <b>no</b> consolidaton.",
    "x" * 1200 + " consolidation " + "No GGO is seen. " * 200,
)


@pytest.fixture(scope="module")
def texts() -> tuple[str, ...]:
    with (ROOT / "examples" / "captions.csv").open(encoding="utf-8", newline="") as file:
        return tuple(dict.fromkeys([*(row["caption"] for row in csv.DictReader(file)), *UGLY]))


@pytest.fixture(scope="module")
def thin() -> dict[str, str]:
    return thinned(own_version().files, 4)


def readings(reader: Reader, texts: Sequence[str]) -> list[object]:
    """Everything a label can come from, for records of any panel."""
    keys = reader.lexicon.finding_keys
    found: list[object] = []
    for text in texts:
        records = [of_panel(reader.read_text(text), panel) for panel in PANELS]
        found.append([(states(each.mentions, keys), each.covid, each.ambiguous) for each in records])
    return found


@pytest.fixture(scope="module")
def indexed(texts: tuple[str, ...], thin: dict[str, str]) -> tuple[Captions, list[object]]:
    reader = Reader(load_files(thin, FINDINGS))
    captions = index_captions(enumerate(texts), Effects(reader))
    return captions, readings(reader, captions.texts)


@pytest.mark.parametrize("seed", range(16))
def test_rule_narrow_misses_no_caption_that_is_read_differently(
    seed: int, thin: dict[str, str], indexed: tuple[Captions, list[object]]
) -> None:
    captions, before = indexed
    draw = random.Random(seed)
    files = thin
    for _ in range(draw.choice((1, 1, 2))):
        files = edited(files, captions.texts, draw)
    try:
        reader = Reader(load_files(files, FINDINGS))
    except LexiconError:
        return  # an edit that the checker refuses; it is never previewed
    after = readings(reader, captions.texts)
    differ = {number for number, said in enumerate(after) if said != before[number]}
    narrowed = narrow(captions, Effects(reader))
    assert differ <= narrowed.captions <= narrowed.touched
    assert readings(narrowed.reader, captions.texts) == after


def test_rule_narrow_sees_what_is_looked_for_around_a_sentence() -> None:
    files = dict(own_version().files)
    texts = ("The quokka is large. Ground glass is seen.", "The lung is large. Ground glass is seen.")
    captions = index_captions(enumerate(texts), Effects(Reader(load_files(files, FINDINGS))))
    files["anatomy.csv"] += "quokka,outside,,\n"
    narrowed = narrow(captions, Effects(Reader(load_files(files, FINDINGS))))
    assert narrowed.captions == {0}
    assert [len(narrowed.reader.read_text(text).mentions) for text in texts] == [0, 1]


def test_rule_narrow_reads_few_captions(thin: dict[str, str], indexed: tuple[Captions, list[object]]) -> None:
    captions, _ = indexed
    same = Effects(Reader(load_files(dict(thin), FINDINGS)))
    assert narrow(captions, same).captions == frozenset()
    files = thin | {"terms.csv": with_term(thin["terms.csv"], "consolidation", "reversed halo sign")}
    found = narrow(captions, Effects(Reader(load_files(files, FINDINGS)))).captions
    assert len(found) < len(captions.texts) / 4


def changed(store: Store, files: dict[str, str]) -> dict[int, object]:
    """What reading every record says, the plain way."""
    reader = Reader(load_files(files, store.findings), plain=True)
    with store.read() as connection:
        ids = connection.execute(RECORD.select().with_only_columns(RECORD.c.id)).scalars().all()
        records = list(stored_records(connection, ids))
    pairs = zip(records, read_again(records, reader, covid=True), strict=True)
    found = {record.id: changed_cells(record.labels, read.labels) for record, read in pairs}
    return {record: cells for record, cells in found.items() if cells}


def without(files: dict[str, str], name: str, column: str, value: str) -> dict[str, str]:
    rows = rows_of(files[name])
    kept = [row for row in rows if row[column] != value]
    assert len(kept) < len(rows)
    return files | {name: text_of(name, kept, files[name])}


def edits() -> list[dict[str, str]]:
    files = dict(own_version().files)
    term = {"terms.csv": with_term(files["terms.csv"], "ground_glass_opacity", "patchy shadow")}
    cue = {"cues.csv": files["cues.csv"] + "bilateral,cue,uncertain,forward,,possibility_before,\n"}
    spelling = without(files, "spellings.csv", "written", "groundglass")
    return [
        files | term,
        files | cue | {"spellings.csv": spelling["spellings.csv"]},
        without(files, "cues.csv", "cue", "no"),
    ]


def test_rule_preview_equals_reading_every_record(example_store: Store) -> None:
    previewer = Previewer(example_store)
    for files in edits()[:: 1 if example_store.url.startswith("sqlite") else 3]:
        preview = previewer.preview(files)
        assert {change.record_id: change.cells for change in preview.changes} == changed(example_store, files)
        assert preview.version == load_files(files, FINDINGS).version
        assert sum(sum(cells.values()) for cells in preview.counts().values()) == sum(
            len(change.cells) for change in preview.relabelled
        )
    assert previewer.preview(dict(own_version().files)).changes == ()


@ON_SQLITE
def test_rule_preview_says_whom_it_would_contradict(example_store: Store) -> None:
    files = without(dict(own_version().files), "cues.csv", "cue", "no")
    previewer = Previewer(example_store)
    change = next(each for each in previewer.preview(files).changes if ("0", "1") in each.cells.values())
    key = next(key for key, cells in change.cells.items() if cells == ("0", "1"))
    confirm(example_store, change, dict.fromkeys(("covid19", *FINDINGS), "0"))
    again = {each.record_id: each for each in previewer.preview(files).changes}[change.record_id]
    assert again.confirmed
    assert key in again.contradicts
    assert again.people[key] == ("0",)
    assert again in previewer.preview(files).contradictions
    assert again not in previewer.preview(files).relabelled


@ON_SQLITE
def test_rule_preview_says_who_would_be_agreed_with(example_store: Store) -> None:
    files = without(dict(own_version().files), "cues.csv", "cue", "no")
    previewer = Previewer(example_store)
    change = next(each for each in previewer.preview(files).changes if ("0", "1") in each.cells.values())
    confirm(example_store, change, dict.fromkeys(("covid19", *FINDINGS), "1"))
    again = {each.record_id: each for each in previewer.preview(files).changes}[change.record_id]
    assert again.agrees
    assert not again.contradicts


def confirm(store: Store, change: Change, labels: dict[str, str]) -> None:
    decision = Decision(f"op-{change.record_id:08}", change.record_id, "confirm", labels)
    with store.write() as connection:
        add_user(connection, "adele")
        (ack,) = save(connection, store.findings, "adele", [decision], now=1.0)
    assert ack.status == "saved"


@ON_SQLITE
def test_rule_preview_of_mistakes_is_the_checkers_message(example_store: Store) -> None:
    files = dict(own_version().files)
    with pytest.raises(LexiconError, match=r"cues\.csv:\d+:kind: must be cue or"):
        Previewer(example_store).preview(files | {"cues.csv": files["cues.csv"] + "xyz,cu,,both,,,\n"})


@ON_SQLITE
def test_rule_preview_sees_captions_that_were_loaded_meanwhile(example_store: Store) -> None:
    previewer = Previewer(example_store)
    files = edits()[0]
    before = len(previewer.preview(files).changes)
    with example_store.write() as connection:
        row = {"image": "new.png", "patient_id": "p", "labels": {}, "lexicon_version": own_version().version}
        connection.execute(RECORD.insert().values(**row, caption="Patchy shadows are seen."))
    assert len(previewer.preview(files).changes) == before + 1


def test_rule_html_shows_words_and_reasons_and_no_tag(thin: dict[str, str]) -> None:
    caption = "<script>alert(1)</script> No consolidation & reversed halo <b>here</b>."
    files = thin | {"terms.csv": with_term(thin["terms.csv"], "crazy_paving", "reversed halo")}
    old, new = (Reader(load_files(each, FINDINGS)) for each in (thin, files))
    cells = {"crazy_paving": ("", "1"), "consolidation": ("", "")}
    change = Change(
        1,
        "<i>.png",
        cells,
        confirmed=True,
        people={"crazy_paving": ("0", "0")},
        contradicts=("crazy_paving",),
    )
    html = evidence_html(change, caption, "", old, new)
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert "then: “reversed halo” " in html
    assert cells_text(change, {}).startswith("crazy_paving: not mentioned → present")
    assert people_text(change, {}) == "crazy_paving: people say absent and absent, the text would say present"
    assert "consolidation" in style(old.lexicon)
