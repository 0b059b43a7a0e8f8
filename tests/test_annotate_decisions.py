"""``annotate.decisions``: nothing saved twice, nothing overwritten, everything undone step by step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.decisions import Ack, Decision, history, parse_decision
from annotate.desk_records import desk_records
from annotate.store import Store
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, ASSIGNMENT, EVENT, WORK
from annotate.worklist import set_overlap
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from tests.made_decisions import NOW, cells, decision, keep, people, rows, take

FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
MARKER = "zebrafish"


@pytest.fixture
def desk(example_store: Store) -> Store:
    people(example_store, "anna", "bob", "carl")
    return example_store


def mine(store: Store, record_id: int, annotator: str = "anna") -> dict[str, Any] | None:
    with store.read() as connection:
        [record] = desk_records(connection, [record_id], annotator, findings=store.findings)
    found: dict[str, Any] | None = record["mine"]
    return found


def statuses(acks: list[Ack]) -> list[str]:
    return [ack.status for ack in acks]


def test_save_confirms_and_writes_0_into_blank_findings_only(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    [ack] = keep(desk, "anna", decision(desk, record, labels={GGO: "1", CSLD: "-1"}, milliseconds=640))
    assert ack.status == "saved" and ack.message == ""
    saved = mine(desk, record)
    assert saved is not None and saved["annotation_id"] == ack.annotation_id
    assert saved["labels"] == {**cells(FINDINGS), **dict.fromkeys(FINDINGS, "0"), GGO: "1", CSLD: "-1"}
    assert saved["labels"][COVID] == ""
    [seat] = rows(desk, ASSIGNMENT)
    assert seat.done and seat.expires is None
    [work] = rows(desk, WORK, WORK.c.record_id == record)
    assert (work.open, work.done) == (0, 1)


def test_save_leaves_blanks_blank_where_the_image_was_not_on_screen(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    keep(desk, "anna", decision(desk, record, labels={GGO: "1"}, saw_image=False))
    saved = mine(desk, record)
    assert saved is not None and saved["labels"] == {**cells(FINDINGS), GGO: "1"}


def test_save_keeps_everything_that_was_marked(desk: Store) -> None:
    mention = {
        "finding": GGO,
        "assertion": "negated",
        "start": 0,
        "end": 4,
        "term": "x",
        "score": 91.5,
        "cue_start": "",
    }
    box = {"finding": GGO, "left": 1.5, "top": 2, "right": 30, "bottom": 40}
    parts = {"mentions": [mention], "boxes": [box], "comment": "look <b>", "flagged": True}
    keep(desk, "anna", decision(desk, 1, **parts))
    saved = mine(desk, 1)
    assert saved is not None
    assert saved["boxes"] == [box] and saved["comment"] == "look <b>" and saved["flagged"]
    [kept] = saved["mentions"]
    assert kept["assertion"] == "negated" and kept["score"] == 91.5
    assert kept["cue_start"] is None and kept["lobe"] == ""


@pytest.mark.parametrize("mentions", [None, []])
def test_save_tells_a_list_left_alone_from_one_emptied(desk: Store, mentions: list[object] | None) -> None:
    keep(desk, "anna", decision(desk, 1, mentions=mentions), decision(desk, 2))
    saved, other = mine(desk, 1), mine(desk, 2)
    assert saved is not None and saved["mentions"] == mentions
    assert other is not None and other["mentions"] is None


def test_save_again_is_harmless(desk: Store) -> None:
    once = decision(desk, 1, labels={GGO: "1"})
    [first] = keep(desk, "anna", once)
    assert keep(desk, "anna", once, once) == [Ack(once.op_id, "repeated", first.annotation_id)] * 2
    undo = decision(desk, 1, "undo", base=first.annotation_id)
    assert statuses(keep(desk, "anna", undo, undo, once)) == ["saved", "repeated", "repeated"]
    assert len(rows(desk, ANNOTATION)) == 2 and mine(desk, 1) is None


def test_save_does_not_overwrite_what_the_annotator_did_not_see(desk: Store) -> None:
    [first] = keep(desk, "anna", decision(desk, 1, labels={GGO: "1"}))
    elsewhere = decision(desk, 1, labels={GGO: "0"})
    [ack] = keep(desk, "anna", elsewhere)
    assert (ack.status, ack.annotation_id) == ("conflict", first.annotation_id)
    saved = mine(desk, 1)
    assert saved is not None and saved["labels"][GGO] == "1"
    [second] = keep(desk, "anna", decision(desk, 1, labels={GGO: "0"}, base=first.annotation_id))
    assert second.status == "saved"
    [late] = keep(desk, "anna", decision(desk, 1, "undo", base=first.annotation_id))
    assert (late.status, late.annotation_id) == ("conflict", second.annotation_id)


def test_save_takes_an_op_id_as_base_while_its_answer_is_on_the_way(desk: Store) -> None:
    first = decision(desk, 1, labels={GGO: "1"})
    undo = decision(desk, 1, "undo", base=first.op_id)
    again = decision(desk, 1, labels={GGO: "-1"}, base=undo.op_id)
    lost = decision(desk, 1, base="never-arrived")
    assert statuses(keep(desk, "anna", first, undo, again, lost)) == ["saved", "saved", "saved", "conflict"]
    saved = mine(desk, 1)
    assert saved is not None and saved["labels"][GGO] == "-1"


def test_undo_goes_back_any_number_and_leaves_every_row(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    bases: list[int | None] = [None]
    for cell in ("1", "0", "-1"):
        [ack] = keep(desk, "anna", decision(desk, record, labels={GGO: cell}, base=bases[-1]))
        bases.append(ack.annotation_id)
    while len(bases) > 1:
        [ack] = keep(desk, "anna", decision(desk, record, "undo", base=bases.pop()))
        assert (ack.status, ack.annotation_id) == ("saved", bases[-1])
    assert mine(desk, record) is None and len(rows(desk, ANNOTATION)) == 6
    [refused] = keep(desk, "anna", decision(desk, record, "undo"))
    assert (refused.status, refused.message) == ("refused", "there is nothing to undo on this record")
    [seat] = rows(desk, ASSIGNMENT)
    assert (seat.annotator, seat.done, seat.expires) == ("anna", False, NOW + 900)
    assert take(desk, "anna", 1) == [record] and record not in take(desk, "bob", 200)


def test_undo_of_a_skip_takes_the_seat_again(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    [skip] = keep(desk, "anna", decision(desk, record, "skip"))
    assert rows(desk, ASSIGNMENT) == []
    keep(desk, "anna", decision(desk, record, "undo", base=skip.annotation_id))
    assert [seat.record_id for seat in rows(desk, ASSIGNMENT)] == [record]


def test_late_work_after_an_expired_lease_is_kept_as_an_extra_opinion(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    later = NOW + 1_000
    assert record in take(desk, "bob", 1, now=later)
    late = decision(desk, record, labels={GGO: "1"})
    [ack] = keep(desk, "anna", late, now=later)
    assert ack.status == "saved" and "extra opinion" in ack.message
    [again] = keep(desk, "anna", late, now=later)  # the first answer was lost
    assert (again.status, again.message) == ("repeated", ack.message)
    [ack] = keep(desk, "bob", decision(desk, record), now=later)
    assert (ack.status, ack.message) == ("saved", "")
    assert [current.annotator for current in rows(desk, ANNOTATION_CURRENT)] == ["anna", "bob"]
    [work] = rows(desk, WORK, WORK.c.record_id == record)
    assert (work.open, work.done) == (0, 1)


def test_save_of_a_lease_that_expired_but_went_to_nobody_counts(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    [ack] = keep(desk, "anna", decision(desk, record), now=NOW + 10_000)
    assert (ack.status, ack.message) == ("saved", "")
    [seat] = rows(desk, ASSIGNMENT)
    assert seat.done


def test_save_refuses_the_unknown_and_keeps_the_rest(desk: Store) -> None:
    far = {"finding": GGO, "assertion": "present", "start": 0, "end": 10**6}
    good = decision(desk, 2)
    acks = keep(desk, "anna", decision(desk, 99_999), decision(desk, 1, mentions=[far]), good)
    assert statuses(acks) == ["refused", "refused", "saved"]
    assert "99999" in acks[0].message and "end of the caption" in acks[1].message
    with pytest.raises(StoreError, match="not known"):
        keep(desk, "stranger", decision(desk, 3))
    other = Decision(good.op_id, 3, "confirm", good.labels)
    assert statuses(keep(desk, "bob", other)) == ["refused"]


def test_history_has_the_last_decision_first_and_no_undone_one(desk: Store) -> None:
    acks = [keep(desk, "anna", decision(desk, record))[0] for record in (3, 1, 2)]
    keep(desk, "bob", decision(desk, 5))
    with desk.read() as connection:
        assert history(connection, "anna") == [2, 1, 3]
        assert history(connection, "anna", 1) == [2]
    keep(desk, "anna", decision(desk, 1, "undo", base=acks[1].annotation_id))
    with desk.read() as connection:
        assert history(connection, "anna") == [2, 3]


def test_events_say_who_did_what_and_no_text(desk: Store) -> None:
    [ack] = keep(desk, "anna", decision(desk, 1, labels={GGO: "1"}, comment=MARKER))
    keep(desk, "anna", decision(desk, 1, "undo", base=ack.annotation_id))
    confirm, undo = rows(desk, EVENT, EVENT.c.kind.like("annotation.%"))
    assert (confirm.actor, confirm.kind, confirm.record_id) == ("anna", "annotation.confirm", 1)
    assert confirm.old is None and confirm.new["labels"][GGO] == "1"
    assert undo.old["annotation"] == ack.annotation_id and undo.new["annotation"] is None
    told = json.dumps([dict(event._mapping) for event in rows(desk, EVENT)], default=str)
    assert MARKER not in told and "ground-glass opacities" not in told


# ---- any order of keys, seats always add up


Step = tuple[str, str, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["anna", "bob", "carl"]),
        st.sampled_from(["claim", "confirm", "confirm", "skip", "undo", "stale", "wait"]),
        st.integers(1, 3),
        st.sampled_from(["1", "0", "-1", ""]),
    ),
    max_size=25,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, overlap=st.integers(1, 2))
def test_seats_opinions_and_work_always_agree(desk: Store, steps: list[Step], overlap: int) -> None:
    """A model in plain dictionaries: the stack of each annotator and record, cleared from example to example."""
    clock = _cleared(desk, overlap)
    stacks: dict[tuple[str, int], list[tuple[int, str, str]]] = {}
    for annotator, action, record, cell in steps:
        clock += 400 if action == "wait" else 1
        if action in ("claim", "wait"):
            take(desk, annotator, 1, now=clock)
            continue
        stack = stacks.setdefault((annotator, record), [])
        base = stack[-1][0] if stack else None
        wrong = action == "stale"
        one = decision(
            desk,
            record,
            "confirm" if wrong else action,
            labels={GGO: cell},
            base=10**9 if wrong else base,
        )
        [ack] = keep(desk, annotator, one, now=clock)
        if wrong:
            assert ack.status == "conflict"
        elif action == "undo":
            assert ack.status == ("saved" if stack else "refused")
            stack[-1:] = []
        else:
            assert ack.status == "saved" and ack.annotation_id is not None
            stack.append((ack.annotation_id, action, cell or "0"))
        _compare(desk, stacks)


def _cleared(desk: Store, overlap: int) -> float:
    """Undo everything of the example before, and let every lease end; returns the time that it is now."""
    clock = max((row.created for row in rows(desk, ANNOTATION)), default=NOW) + 10_000
    while current := rows(desk, ANNOTATION_CURRENT):
        for row in current:
            keep(
                desk, row.annotator, decision(desk, row.record_id, "undo", base=row.annotation_id), now=clock
            )
    with desk.write() as connection:
        set_overlap(connection, None, overlap)
        connection.execute(ASSIGNMENT.delete())
    with desk.write() as connection:
        set_overlap(connection, None, overlap)
        connection.execute(WORK.update().values(closed_to="", done=0))
    return clock


def _compare(desk: Store, stacks: Mapping[tuple[str, int], list[tuple[int, str, str]]]) -> None:
    current = {(row.annotator, row.record_id): row.annotation_id for row in rows(desk, ANNOTATION_CURRENT)}
    assert current == {key: stack[-1][0] for key, stack in stacks.items() if stack}
    seats = rows(desk, ASSIGNMENT)
    for work in rows(desk, WORK, WORK.c.record_id <= 3):
        own = [seat for seat in seats if seat.record_id == work.record_id]
        assert len(own) <= work.overlap and work.open == work.overlap - len(own)
        assert work.done == sum(seat.done for seat in own)
        opinions = {annotator for annotator, record in current if record == work.record_id}
        assert set(work.closed_to.split()) == opinions | {seat.annotator for seat in own}


# ---- what comes from a browser


def good(**parts: object) -> dict[str, object]:
    raw = {"op_id": "12345678", "record_id": 1, "action": "confirm", "labels": cells(FINDINGS)}
    return {**raw, **parts}


def mention(**parts: object) -> dict[str, object]:
    return {"mentions": [{"finding": GGO, "assertion": "present", "start": 0, "end": 3, **parts}]}


def box(**parts: object) -> dict[str, object]:
    return {"boxes": [{"finding": GGO, "left": 0, "top": 0, "right": 5, "bottom": 5, **parts}]}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"op_id": "short"}, "op_id"),
        ({"op_id": "x" * 200}, "op_id"),
        ({"op_id": None}, "op_id"),
        ({"record_id": "1"}, "record_id"),
        ({"record_id": True}, "record_id"),
        ({"record_id": 2**70}, "record_id"),
        ({"action": "delete"}, "confirm, skip, undo"),
        ({"labels": {}}, "one cell for each"),
        ({"labels": {**cells(FINDINGS), "extra": "1"}}, "one cell for each"),
        ({"labels": cells(FINDINGS, covid19="2")}, "covid19"),
        ({"labels": cells(FINDINGS) | {GGO: 1}}, GGO),
        ({"annotator": "bob"}, "no part annotator"),
        ({"comment": "x" * 10_001}, "comment"),
        ({"comment": "a\0b"}, "comment"),
        ({"flagged": "yes"}, "flagged"),
        ({"base": 1.5}, "base"),
        ({"milliseconds": -1}, "milliseconds"),
        ({"mentions": "x"}, "mentions is a list"),
        ({"mentions": [1]}, r"mentions\[0\] is an object"),
        (mention(assertion="perhaps"), "assertion"),
        (mention(finding="nodule"), "finding"),
        (mention(start=3), "start and end"),
        (mention(term="x" * 2_000), "term"),
        (mention(score="high"), "score"),
        ({"boxes": [{}]}, "a box has"),
        (box(right=float("nan")), "pixels"),
        (box(right=0), "left lies before right"),
        (box(finding=COVID), "finding"),
    ],
)
def test_parse_decision_refuses(parts: dict[str, object], said: str) -> None:
    with pytest.raises(StoreError, match=said):
        parse_decision(good(**parts), FINDINGS)


def test_parse_decision_lists_every_problem_and_no_text() -> None:
    raw = good(op_id="", action="x", labels={GGO: MARKER}, comment=MARKER * 3_000, flagged=3)
    with pytest.raises(StoreError) as caught:
        parse_decision(raw, FINDINGS)
    assert all(part in str(caught.value) for part in ("op_id", "action", "labels", "comment", "flagged"))
    assert MARKER not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.dictionaries(st.sampled_from([*Decision.__dataclass_fields__, "other"]), JSON, max_size=4)


@given(raw=JSON, parts=PARTS)
def test_parse_decision_gives_a_decision_or_says_why_not(raw: object, parts: dict[str, object]) -> None:
    for given_ in (raw, good(**parts)):
        try:
            parsed = parse_decision(given_, FINDINGS)
        except StoreError:
            continue
        json.dumps([dict(each) for each in parsed.mentions or ()])
        assert parsed.action in ("confirm", "skip", "undo")
