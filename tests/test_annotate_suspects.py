"""Suspects: which labels may be wrong, in what order, and why in words."""

from __future__ import annotations

import pytest

from annotate.judgements import NOBODY, Judgement
from annotate.store import Store
from annotate.store_tables import ADJUDICATION, MENTION, PREDICTION, RECORD, WORK
from annotate.suspect_signals import KINDS, Facts, Sureness, signals, sureness, text_words
from annotate.suspects import Suspect, apply_suspect_order, finding_names, rank_suspects
from nlp.lexicon import load_lexicon
from tests.made_people import add_people, add_records, read

FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
NAMES = finding_names(FINDINGS)


def people(*cells: str, settled: str | None = None) -> Judgement:
    readings = {f"reader {number}": {CSLD: cell} for number, cell in enumerate(cells)}
    return Judgement(readings, None if settled is None else {CSLD: settled})


def found(**given: object) -> dict[str, float]:
    facts = Facts(**({"id": 1, "image": "a.png", "labels": {}} | given))  # type: ignore[arg-type]
    return {each.kind: each.score for each in signals(facts, {CSLD: Sureness(0.8, 0.7)}, NAMES)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"labels": {CSLD: "1"}, "people": people("0")}, {"text_people": 0.8}),
        ({"labels": {CSLD: "1"}, "people": people("0", "0")}, {"text_people": 0.6}),
        ({"labels": {CSLD: "1"}, "people": people("1", settled="0")}, {"text_people": 0.3}),
        ({"labels": {CSLD: "1"}, "people": people("1", "0")}, {"readers": 0.9}),
        ({"people": people("1", "-1")}, {"readers": 0.4}),
        ({"people": people("1", "0", settled="1")}, {}),
        ({"labels": {CSLD: "-1"}}, {"uncertain": 0.25}),
        ({"labels": {CSLD: "-1"}, "people": people("1")}, {}),
        ({"labels": {CSLD: ""}, "people": people("1")}, {}),
        ({"labels": {CSLD: "0"}, "probabilities": {CSLD: 0.9}}, {"model_text": 0.72}),
        ({"labels": {CSLD: "0"}, "probabilities": {CSLD: 0.7}}, {}),
        ({"people": people("1"), "probabilities": {CSLD: 0.1}}, {"model_people": 0.9}),
        ({"people": people("1", "0"), "probabilities": {CSLD: 0.1}}, {"readers": 0.9}),
        ({"flags": "no_text;ambiguous_panel"}, {"panel": 0.4}),
        ({"misspelt": [(CSLD, 90.0)]}, {"misspelt": 0.2}),
    ],
)
def test_suspect_signals_of_one_record(given: dict[str, object], expected: dict[str, float]) -> None:
    assert found(**given) == pytest.approx(expected)
    assert set(expected) <= set(KINDS)


def test_suspect_signals_sureness_is_that_of_held_labels() -> None:
    facts = [
        Facts(1, "a", {CSLD: "1"}, probabilities={CSLD: 0.9}),
        Facts(2, "b", {CSLD: "1"}, probabilities={CSLD: 0.5}),
        Facts(3, "c", {CSLD: "1"}, people=people("0"), probabilities={CSLD: 0.2}),
        Facts(4, "d", {CSLD: ""}, probabilities={CSLD: 0.99}),
    ]
    assert sureness(facts, CSLD) == Sureness(pytest.approx(0.7), pytest.approx(0.8))
    assert sureness(facts[3:], CSLD) == Sureness(None, None)
    assert facts[0].people is NOBODY


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
        return {each.record_id: each for each in rank_suspects(connection, store.findings, pairs=pairs)}


def test_suspects_are_ranked_with_reasons_in_words(filled: Store) -> None:
    ranked = rank(filled)
    assert [*ranked] == sorted(ranked, key=lambda record: (-ranked[record].score, record))
    assert "readers disagree: 1 say absent, 1 say present" in ranked[2].reason
    assert ranked[1].reason.startswith("text says consolidation, one reader says no")
    assert ranked[1].concerns(kind="text_people", key=CSLD)
    assert not ranked[1].concerns(kind="text_people", key=GGO)
    assert all(0 < each.score < 1 for each in ranked.values())


def test_suspects_one_caption_and_two_answers(filled: Store) -> None:
    with filled.write() as connection:
        connection.execute(RECORD.update().where(RECORD.c.id.in_([1, 3])).values(caption="same", panel="A"))
    assert rank(filled)[3].concerns(kind="same_caption", key=CSLD)


def test_suspects_nearly_identical_images(filled: Store) -> None:
    with filled.read() as connection:
        images = dict(
            connection.execute(RECORD.select().with_only_columns(RECORD.c.id, RECORD.c.image)).all()
        )
    found = rank(filled, ((images[1], images[3]), (images[4], "unknown.png")))
    assert images[1] in found[3].reason
    assert found[1].concerns(kind="near_identical")


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
    assert ranked[1].concerns(kind="model_people")
    assert 6 not in ranked or not ranked[6].concerns(kind="model_people")


def test_suspects_order_the_work_and_forget_the_settled(filled: Store) -> None:
    with filled.write() as connection:
        count = apply_suspect_order(connection, filled.findings)
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
