"""``annotate.progress_report``: counts that add up, speed without pauses, and an end that is a range."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from annotate.adjudication import adjudicate
from annotate.adjudication_cases import case_of, filled
from annotate.progress_estimate import Estimate, estimate
from annotate.progress_report import Progress, progress_report
from annotate.store import Store
from annotate.store_tables import ANNOTATION, RECORD
from annotate.worklist import claim
from nlp.lexicon import load_lexicon
from nlp.schema import CELL_VALUES, COVID
from tests.busy_store import fill_at_random
from tests.made_people import NOW, add_people, add_records, read, same

GGO, CSLD = load_lexicon().finding_keys[:2]
DAY = 86_400.0


@pytest.fixture
def desk(store: Store) -> Store:
    """Forty records, each to be read twice, whose texts say ground glass."""
    add_people(store, "head", "anna", "bob")
    add_records(store, 40, said={GGO: "1", COVID: "1"})
    return store


def report_of(store: Store, now: float = NOW) -> Progress:
    with store.read() as connection:
        return progress_report(connection, store.findings, now=now, zone=UTC)


def test_progress_report_of_an_empty_database(store: Store) -> None:
    found = report_of(store)
    assert (found.records, found.complete, found.readings, found.left) == (0, 0, 0, 0)
    assert found.annotators == () and found.days.empty and found.estimate is None


def test_progress_report_counts_add_up(desk: Store) -> None:
    read(desk, "anna", same(range(1, 6), **{GGO: "1", COVID: "1"}))
    read(desk, "bob", same([1, 2], **{GGO: "0", COVID: "1"}), flagged=True)
    read(desk, "bob", same([3]), action="skip")
    found = report_of(desk)
    assert (found.records, found.readings, found.left) == (40, 80, 73)
    assert (found.complete, found.to_settle, found.settled) == (2, 2, 0)
    anna, bob = found.annotators
    assert (anna.name, anna.done, anna.skipped, anna.flagged, anna.undone) == ("anna", 5, 0, 0, 0)
    assert (bob.done, bob.skipped, bob.flagged) == (2, 1, 2)
    assert (anna.corrected, bob.corrected) == (0.0, 1.0)
    assert anna.seconds == 4 and anna.last == NOW + 40
    counts = {each.key: (each.present, each.absent, each.uncertain, each.blank) for each in found.findings}
    assert counts[GGO] == (5, 2, 0, 0) and counts[CSLD] == (0, 7, 0, 0) and counts[COVID] == (7, 0, 0, 0)


def test_progress_report_undone_work_is_not_done(desk: Store) -> None:
    read(desk, "anna", same([1, 2]))
    read(desk, "anna", same([2]), action="undo", now=NOW + 100)
    (anna,) = report_of(desk).annotators
    assert (anna.done, anna.undone) == (1, 1)
    assert report_of(desk).left == 79


def test_progress_report_speed_leaves_pauses_out(desk: Store) -> None:
    read(desk, "anna", same(range(1, 11)), every=10)
    read(desk, "anna", same(range(11, 21)), now=NOW + 3 * 3600, every=30)
    (anna,) = report_of(desk, NOW + 4 * 3600).annotators
    assert anna.per_hour == pytest.approx(18 / (9 * 10 + 9 * 30) * 3600)
    read(desk, "bob", same([1, 2, 3]))
    assert report_of(desk).annotators[1].per_hour is None  # too few to tell


def test_progress_report_counts_leases(desk: Store) -> None:
    with desk.write() as connection:
        claim(connection, "anna", 5, now=NOW, lease_seconds=60)
    held, over = report_of(desk, NOW + 30), report_of(desk, NOW + 90)
    assert [(each.held, each.expired) for each in (*held.annotators, *over.annotators)] == [(5, 0), (0, 5)]


def test_progress_report_settled_records_leave_the_queue(desk: Store) -> None:
    read(desk, "anna", {1: {GGO: "1"}})
    read(desk, "bob", {1: {}})
    assert (report_of(desk).to_settle, report_of(desk).settled) == (1, 0)
    with desk.write() as connection:
        case = case_of(connection, 1, "head")
        options = {"op_id": "op-0001", "record_id": 1, "reason": "", "base": case.seen, "now": NOW}
        adjudicate(connection, "head", findings=desk.findings, labels=case.columns[0].labels, **options)  # type: ignore[arg-type]
    assert (report_of(desk).to_settle, report_of(desk).settled) == (0, 1)


def test_progress_report_days_follow_the_zone(desk: Store) -> None:
    midnight = datetime(2025, 6, 15, tzinfo=UTC).timestamp()
    read(desk, "anna", same([1, 2, 3]), now=midnight - 15)
    read(desk, "bob", same([1]), now=midnight + DAY)
    days = report_of(desk).days
    assert days.to_dict("index") == {
        date(2025, 6, 14): {"anna": 2, "bob": 0},
        date(2025, 6, 15): {"anna": 1, "bob": 0},
        date(2025, 6, 16): {"anna": 0, "bob": 1},
    }


def test_progress_report_estimates_after_twenty_decisions(desk: Store) -> None:
    read(desk, "anna", same(range(1, 21)), every=36)
    assert report_of(desk).estimate is None  # nineteen gaps
    read(desk, "anna", same(range(21, 41)), now=NOW + 720, every=36)
    found = report_of(desk).estimate
    assert found is not None and found.hours == pytest.approx((0.4, 0.4)) and found.dates is None
    assert str(found) == "about 24 minutes of work are left; a date can be told after 3 days of work"


# ---- the estimate by itself

MIDNIGHT = datetime(2025, 6, 20, tzinfo=UTC).timestamp()


def test_progress_estimate_dates_follow_the_last_days_of_work() -> None:
    # 40 records on each of four days out of seven; today counts neither as work nor as a slow day
    times = np.concatenate([MIDNIGHT - DAY * ago + np.arange(40) for ago in (7, 5, 3, 1)] + [[MIDNIGHT + 60]])
    found = estimate(times, np.full(160, 45.0), 400, now=MIDNIGHT + 3600, zone=UTC)
    assert found == Estimate((5.0, 5.0), (date(2025, 7, 8), date(2025, 7, 8)), 4)
    assert str(found).endswith("at the pace of the last 4 days of work it is finished on 8 July 2025")


def test_progress_estimate_is_a_range_where_speed_varies() -> None:
    gaps = np.repeat([20.0, 60.0], 80)
    times = np.concatenate(
        [MIDNIGHT - DAY * ago + np.arange(count) for ago, count in ((4, 10), (3, 20), (2, 30), (1, 100))]
    )
    found = estimate(times, gaps, 1_000, now=MIDNIGHT, zone=UTC)
    assert found is not None and found.dates is not None
    assert found.hours[0] < found.hours[1] and found.dates[0] < found.dates[1]
    assert "about 5.6 to 17 hours of work are left" in str(found) and "between" in str(found)


@given(
    st.lists(st.floats(0, 300), max_size=200),
    st.lists(st.floats(0, 3e6), max_size=100),
    st.integers(0, 100_000),
)
def test_progress_estimate_is_ordered_or_nothing(gaps: list[float], ago: list[float], left: int) -> None:
    times = NOW - np.array(sorted(ago, reverse=True))
    found = estimate(times, np.array(gaps), left, now=NOW, zone=UTC)
    assert (found is None) == (not left or len(gaps) < 20)
    if found is not None:
        assert 0 <= found.hours[0] <= found.hours[1] and str(found)
        assert found.dates is None or found.dates[0] <= found.dates[1]


@pytest.mark.parametrize("seed", range(3))
def test_progress_report_counts_each_reading(store: Store, seed: int) -> None:
    fill_at_random(store, seed)
    found = report_of(store, NOW + 10_000)
    with store.read() as connection:
        texts = {record.id: record for record in connection.execute(sa.select(RECORD))}
        rows = connection.execute(sa.select(ANNOTATION).where(ANNOTATION.c.action == "confirm")).all()
    for each in found.findings:
        said = [row.labels[each.key] for row in rows]
        counts = (each.present, each.absent, each.uncertain, each.blank)
        assert counts == tuple(said.count(cell) for cell in CELL_VALUES)
    for annotator in found.annotators:
        read = [(row.labels, texts[row.record_id]) for row in rows if row.annotator == annotator.name]
        told = [
            labels != filled(text.labels) for labels, text in read if text.caption and text.review == "auto"
        ]
        assert annotator.corrected == pytest.approx(sum(told) / len(told)) and 0 < annotator.corrected < 1
