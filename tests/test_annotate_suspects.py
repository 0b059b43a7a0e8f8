"""Suspects: which labels may be wrong, in what order, and why in words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from annotate.columns import BLANK, CELLS
from annotate.store import Store
from annotate.store_tables import ADJUDICATION, EVENT, MENTION, PREDICTION, RECORD, WORK
from annotate.suspect_facts import Facts
from annotate.suspect_signals import KINDS, joined, signals, sureness, text_words
from annotate.suspects import Suspect, apply_suspect_order, finding_names, rank_suspects
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon
from nlp.schema import CELL_VALUES
from tests.busy_store import fill_at_random
from tests.made_people import NOW, add_people, add_records, read
from tests.plain_suspects import rank_plainly

FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
NAMES = finding_names(FINDINGS)


def fact(
    text: str = "",
    people: tuple[str, ...] = (),
    settled: str | None = None,
    probability: float = np.nan,
    flags: str = "",
    likeness: float | None = None,
) -> Facts:
    """One record, and what is said of one finding."""
    said = people if settled is None else (settled,)
    return Facts(
        (CSLD,),
        np.array([1]),
        np.array(["a.png"], object),
        np.array([flags], object),
        np.array([[CELL_VALUES.index(text)]], np.int8),
        np.array([[[said.count(cell) for cell in CELL_VALUES]]], np.int32),
        np.array([len(people)], np.int32),
        np.array([settled is not None]),
        np.array([[probability]]),
        pd.DataFrame([] if likeness is None else [(0, CSLD, likeness)], columns=["place", "key", "likeness"]),
    )


def concerns(suspect: Suspect, *, kind: str, key: str | None = None) -> bool:
    """Whether one of the reasons is of a kind and about a finding; None: any."""
    return any(kind == each.kind and key in (None, each.key) for each in suspect.signals)


def found(monkeypatch: pytest.MonkeyPatch, **given: object) -> dict[str, float]:
    monkeypatch.setattr("annotate.suspect_signals.sureness", lambda *_: (0.8, 0.7))
    table = joined([*signals(fact(**given))])  # type: ignore[arg-type]
    return dict(zip(table.kind, table.score, strict=True))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"text": "1", "people": ("0",)}, {"text_people": 0.8}),
        ({"text": "1", "people": ("0", "0")}, {"text_people": 0.6}),
        ({"text": "1", "people": ("1",), "settled": "0"}, {"text_people": 0.3}),
        ({"text": "1", "people": ("1", "0")}, {"readers": 0.9}),
        ({"people": ("1", "-1")}, {"readers": 0.4}),
        ({"people": ("1", "0"), "settled": "1"}, {}),
        ({"text": "-1"}, {"uncertain": 0.25}),
        ({"text": "-1", "people": ("1",)}, {}),
        ({"text": "", "people": ("1",)}, {}),
        ({"text": "0", "probability": 0.9}, {"model_text": 0.72}),
        ({"text": "0", "probability": 0.7}, {}),
        ({"people": ("1",), "probability": 0.1}, {"model_people": 0.9}),
        ({"people": ("1", "0"), "probability": 0.1}, {"readers": 0.9}),
        ({"flags": "no_text;ambiguous_panel"}, {"panel": 0.4}),
        ({"likeness": 90.0}, {"misspelt": 0.2}),
    ],
)
def test_suspect_signals_of_one_record(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], expected: dict[str, float]
) -> None:
    assert found(monkeypatch, **given) == pytest.approx(expected)
    assert set(expected) <= set(KINDS)


def test_suspect_signals_sureness_is_that_of_held_labels() -> None:
    facts = Facts(
        (CSLD,),
        np.arange(4),
        CELLS[[BLANK] * 4],
        CELLS[[BLANK] * 4],
        np.array([[0], [0], [0], [BLANK]], np.int8),
        np.array([[[0] * 4]] * 2 + [[[0, 1, 0, 0]], [[0] * 4]], np.int32),
        np.array([0, 0, 1, 0], np.int32),
        np.zeros(4, bool),
        np.array([[0.9], [0.5], [0.2], [0.99]]),
    )
    assert sureness(facts, 0) == (pytest.approx(0.7), pytest.approx(0.8))
    assert sureness(fact(), 0) == (None, None)


def test_suspect_signals_say_the_words_that_decided() -> None:
    cue = [{"assertion": "negated", "cue": "no evidence of"}]
    assert text_words("consolidation", "0", cue) == "text negates consolidation by “no evidence of”"
    assert text_words("consolidation", "1", cue) == "text says consolidation"


@pytest.fixture
def filled(store: Store) -> Store:
    add_people(store, "head", "anna", "bob")
    ids = add_records(store, 12, said={CSLD: "1"})
    with store.write() as connection:
        for number in ids:
            connection.execute(RECORD.update().where(RECORD.c.id == number).values(caption=f"text {number}"))
    read(store, "anna", {1: {CSLD: "0"}, 2: {CSLD: "1"}, 3: {CSLD: "1"}})
    read(store, "bob", {2: {CSLD: "0"}})
    return store


def rank(store: Store, pairs: tuple[tuple[str, str], ...] = ()) -> dict[int, Suspect]:
    with store.read() as connection:
        ranked = rank_suspects(connection, store.findings, pairs=pairs)
        return {each.record_id: each for each in ranked.told(connection)}


def test_suspects_are_ranked_with_reasons_in_words(filled: Store) -> None:
    ranked = rank(filled)
    assert [*ranked] == sorted(ranked, key=lambda record: (-ranked[record].score, record))
    assert "readers disagree: 1 says absent, 1 says present" in ranked[2].reason
    assert ranked[1].reason.startswith("text says consolidation, one reader says no")
    assert concerns(ranked[1], kind="text_people", key=CSLD)
    assert not concerns(ranked[1], kind="text_people", key=GGO)
    assert all(0 < each.score < 1 for each in ranked.values())


def test_suspects_one_caption_and_two_answers(filled: Store) -> None:
    with filled.write() as connection:
        connection.execute(RECORD.update().where(RECORD.c.id.in_([1, 3])).values(caption="same", panel="A"))
    assert concerns(rank(filled)[3], kind="same_caption", key=CSLD)


def test_suspects_nearly_identical_images(filled: Store) -> None:
    with filled.read() as connection:
        images = dict(
            connection.execute(RECORD.select().with_only_columns(RECORD.c.id, RECORD.c.image)).all()
        )
    found = rank(filled, ((images[1], images[3]), (images[4], "unknown.png")))
    assert images[1] in found[3].reason
    assert concerns(found[1], kind="near_identical")


def test_suspects_of_an_image_model(filled: Store) -> None:
    with filled.write() as connection:
        rows = [
            {"record_id": n, "probabilities": {CSLD: 0.03 if n in (3, 6) else 0.9}, "run": "r"}
            for n in range(1, 9)
        ]
        connection.execute(PREDICTION.insert(), rows)
        connection.execute(RECORD.update().where(RECORD.c.id == 7).values(labels={CSLD: "0"}))
        details = {"cue": "no evidence of", "match": "exact"}
        row = {
            "record_id": 7,
            "finding": CSLD,
            "assertion": "negated",
            "start": 0,
            "end": 1,
            "details": details,
        }
        connection.execute(MENTION.insert().values(**row))
    ranked = rank(filled)
    assert ranked[7].reason == ("text negates consolidation by “no evidence of”, the image model gives 0.90")
    assert concerns(ranked[1], kind="model_people")
    assert 6 not in ranked or not concerns(ranked[6], kind="model_people")


def test_suspects_order_the_work_for_adjudicators_who_are_named(filled: Store) -> None:
    with pytest.raises(StoreError, match="needs the role adjudicator"), filled.write() as connection:
        apply_suspect_order(connection, filled.findings, actor="anna", now=NOW)
    with filled.write() as connection:
        apply_suspect_order(connection, filled.findings, actor="head", now=NOW)
        event = connection.execute(sa.select(EVENT).where(EVENT.c.kind == "worklist.suspects")).one()
    assert event.actor == "head"


def test_suspects_order_the_work_and_forget_the_settled(filled: Store) -> None:
    with filled.write() as connection:
        count = apply_suspect_order(connection, filled.findings, actor="head", now=NOW)
        rows = dict(
            connection.execute(WORK.select().with_only_columns(WORK.c.record_id, WORK.c.suspicion)).all()
        )
    assert sum(score > 0 for score in rows.values()) == count > 0
    before = rank(filled)[2].score
    with filled.write() as connection:
        verdict = {
            "op_id": "op-000009",
            "record_id": 2,
            "adjudicator": "head",
            "labels": {CSLD: "1"},
            "created": 9.0,
        }
        connection.execute(ADJUDICATION.insert().values(**verdict))
    assert 2 not in rank(filled)
    assert before > 0.8


def test_suspects_of_an_empty_store(store: Store) -> None:
    assert rank(store) == {}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("annotator", [None, "anna"])
def test_suspects_are_those_of_the_plain_ranking(store: Store, seed: int, annotator: str | None) -> None:
    fill_at_random(store, seed)
    with store.read() as connection:
        images = connection.scalars(RECORD.select().with_only_columns(RECORD.c.image)).all()
        pairs = [*pairwise(images), ("unknown.png", images[0])]
        plain = rank_plainly(connection, store.findings, pairs=pairs, annotator=annotator)
        ranked = rank_suspects(connection, store.findings, pairs=pairs, annotator=annotator)
        assert ranked.told(connection) == plain
        kinds = {signal.kind for each in plain for signal in each.signals}
        assert {"same_caption", "near_identical", "model_people", "misspelt"} <= kinds
        assert ranked.by_record() == {each.record_id: each.score for each in plain}
        fitting = [
            each for each in plain if concerns(each, kind="near_identical", key=CSLD) and not each.judged
        ]
        places = ranked.places(kind="near_identical", key=CSLD, undecided=True)
        assert ranked.told(connection, places) == fitting
