"""``annotate.worklist``: everybody has work, nobody twice, and nothing stays locked."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
import sqlalchemy as sa

from annotate.desk_records import progress_of
from annotate.filters import check_filters, facets
from annotate.store import Store
from annotate.store_tables import ASSIGNMENT, RECORD, WORK
from annotate.worklist import (
    ORDERS,
    Filters,
    claim,
    open_record,
    rank_suspects_first,
    refresh,
    release,
    set_overlap,
)
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from tests.made_decisions import NOW, decision, keep, people, rows, take

FINDINGS = load_lexicon().finding_keys
GGO, CSLD = FINDINGS[:2]
ALL = 85


@pytest.fixture
def desk(example_store: Store) -> Store:
    people(example_store, "anna", "bob", "carl")
    return example_store


def overlap(store: Store, number: int, *record_ids: int) -> None:
    with store.write() as connection:
        set_overlap(connection, record_ids or None, number)


def decide_all(store: Store, annotator: str, record_ids: list[int]) -> None:
    keep(store, annotator, *(decision(store, record) for record in record_ids))


def test_claim_gives_everything_once_and_then_nothing(desk: Store) -> None:
    first = take(desk, "anna", 50)
    second = take(desk, "bob", 50)
    assert len(first) == 50 and len(second) == ALL - 50 and not set(first) & set(second)
    assert take(desk, "carl", 5) == []


def test_claim_gives_own_leases_first_and_renews_them(desk: Store) -> None:
    first = take(desk, "anna", 3)
    assert take(desk, "anna", 3, now=NOW + 800) == first
    assert {seat.expires for seat in rows(desk, ASSIGNMENT)} == {NOW + 1_700}
    more = take(desk, "anna", 2, now=NOW + 900, have=first)
    assert len(more) == 2 and not set(more) & set(first)
    assert {seat.expires for seat in rows(desk, ASSIGNMENT)} == {NOW + 1_800}


def test_expired_leases_return_to_the_others(desk: Store) -> None:
    first = take(desk, "anna", ALL)
    assert take(desk, "bob", 5, now=NOW + 899) == []
    assert take(desk, "bob", 5, now=NOW + 901) == first[:5]
    assert not set(first[:5]) & set(take(desk, "anna", 20, now=NOW + 902))


def test_release_gives_back_what_is_not_decided(desk: Store) -> None:
    first = take(desk, "anna", 4)
    decide_all(desk, "anna", first[:1])
    with desk.write() as connection:
        release(connection, "anna")
    assert take(desk, "bob", 3) == first[1:]


def test_skipped_records_go_to_others_and_never_back(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    keep(desk, "anna", decision(desk, record, "skip"))
    assert take(desk, "bob", 1) == [record]
    with desk.write() as connection:
        release(connection, "bob")
    assert record not in take(desk, "anna", ALL)


def test_overlap_gives_each_record_to_so_many_different_annotators(desk: Store) -> None:
    overlap(desk, 2)
    seen: Counter[int] = Counter()
    for name in ("anna", "bob", "carl"):
        while records := take(desk, name, 20):
            decide_all(desk, name, records)
            seen.update(records)
    assert set(seen.values()) == {2} and len(seen) == ALL
    assert {work.open for work in rows(desk, WORK)} == {0}


def test_set_overlap_opens_finished_records_again_and_holds_for_some(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    decide_all(desk, "anna", [record])
    overlap(desk, 2, record)
    assert take(desk, "bob", 1) == [record] and take(desk, "anna", 1) != [record]
    for number in (0, 21):
        with pytest.raises(StoreError, match="1 to 20"):
            overlap(desk, number)


def test_open_record_takes_a_seat_by_deep_link_even_of_a_skipped_one(desk: Store) -> None:
    [record] = take(desk, "anna", 1)
    keep(desk, "anna", decision(desk, record, "skip"))
    with desk.write() as connection:
        assert open_record(connection, "anna", record, now=NOW)
        assert not open_record(connection, "bob", record, now=NOW)
        with pytest.raises(StoreError, match="no record 9999"):
            open_record(connection, "bob", 9999, now=NOW)


def test_open_record_of_a_decided_one_leaves_it_decided(desk: Store) -> None:
    decide_all(desk, "anna", [1])
    with desk.write() as connection:
        assert open_record(connection, "anna", 1, now=NOW)
    [seat] = rows(desk, ASSIGNMENT)
    assert seat.done


def test_claim_refuses_strangers_and_unknown_orders(desk: Store) -> None:
    with pytest.raises(StoreError, match="not known"):
        take(desk, "stranger", 1)
    with pytest.raises(StoreError, match="priority, random"):
        take(desk, "anna", 1, order="alphabet")


# ---- order of work


def test_priority_has_flagged_and_uncertain_records_first(desk: Store) -> None:
    order = take(desk, "anna", ALL)
    records = {row.id: row for row in rows(desk, RECORD)}
    uncertain = [
        "ambiguous_panel" in records[each].flags
        or "covid_conflict" in records[each].flags
        or "-1" in records[each].labels.values()
        for each in order
    ]
    assert uncertain == sorted(uncertain, reverse=True) and 0 < sum(uncertain) < ALL


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_gives_all_records_in_its_order(desk: Store, order: str) -> None:
    with desk.write() as connection:
        rank_suspects_first(connection, {7: 2.0, 3: 9.0})
    given = [*take(desk, "anna", 30, order=order)]
    given += take(desk, "anna", ALL, order=order, have=given)
    assert sorted(given) == sorted(row.id for row in rows(desk, RECORD))
    works = {row.record_id: row for row in rows(desk, WORK)}
    if order == "suspects":
        assert given[:2] == [3, 7]
    if order == "patient":
        patients = [works[record].patient_id for record in given]
        assert patients == sorted(patients)
    if order == "image":
        assert [works[record].image for record in given] == sorted(work.image for work in works.values())
    if order == "random":
        assert given != sorted(given) and len({work.shuffle for work in works.values()}) == ALL


def test_rank_suspects_first_forgets_the_ranks_before(desk: Store) -> None:
    for scores in ({5: 1.0, 6: 2.0}, {8: 0.5}):
        with desk.write() as connection:
            rank_suspects_first(connection, scores)
    assert [row.record_id for row in rows(desk, WORK, WORK.c.suspicion > 0)] == [8]


# ---- filters


@pytest.mark.parametrize(
    "filters",
    [
        Filters(GGO),
        Filters(GGO, "1"),
        Filters(CSLD, "-1"),
        Filters(GGO, ""),
        Filters(COVID, "0"),
        Filters(flag="any"),
        Filters(flag="ambiguous_panel"),
        Filters(patient_id="p01"),
        Filters(source="article-01"),
        Filters(GGO, "1", flag="ambiguous_panel"),
        Filters(source="nowhere%"),
    ],
)
def test_filters_give_exactly_the_records_that_fit(desk: Store, filters: Filters) -> None:
    def fits(record: sa.Row[object]) -> bool:
        cell = record.labels.get(filters.finding, "")
        flags = set(record.flags.split(";")) - {""}
        return (
            (filters.finding is None or (cell != "" if filters.state is None else cell == filters.state))
            and filters.source in (None, record.source)
            and (filters.flag is None or filters.flag in flags or (filters.flag == "any" and bool(flags)))
            and filters.patient_id in (None, record.patient_id)
        )

    expected = {record.id for record in rows(desk, RECORD) if fits(record)}
    assert set(take(desk, "anna", ALL, filters=filters)) == expected
    assert set(take(desk, "anna", ALL, filters=filters)) == expected


def test_filters_do_not_return_own_leases_that_do_not_fit(desk: Store) -> None:
    take(desk, "anna", 30)
    found = take(desk, "anna", ALL, filters=Filters(CSLD, "1"))
    assert {row.labels[CSLD] for row in rows(desk, RECORD, RECORD.c.id.in_(found))} == {"1"}


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (Filters("nodule"), "finding"),
        (Filters(GGO, "2"), "state"),
        (Filters(state="1"), "needs a finding"),
        (Filters(flag="x"), "flag"),
    ],
)
def test_check_filters_says_what_no_record_could_fit(filters: Filters, said: str) -> None:
    check_filters(Filters(GGO, "", "a", "any", "p"), FINDINGS)
    with pytest.raises(StoreError, match=said):
        check_filters(filters, FINDINGS)


def test_facets_keep_a_line_break_in_a_source_from_making_a_facet() -> None:
    found = facets({}, flags="", source="x\nflag=no_text\n", patient_id="p")
    assert "\nflag=no_text\n" not in found


def test_refresh_follows_the_labels(desk: Store) -> None:
    labels = dict.fromkeys((COVID, *FINDINGS), "-1")
    with desk.write() as connection:
        connection.execute(RECORD.update().where(RECORD.c.id == 60).values(labels=labels))
        refresh(connection, [60])
    assert take(desk, "anna", 1) == [60]
    assert 60 in take(desk, "bob", ALL, filters=Filters(CSLD, "-1")) or take(desk, "anna", 1) == [60]


# ---- progress and speed


def test_progress_counts_what_is_done_skipped_and_left(desk: Store) -> None:
    first, second, *_ = take(desk, "anna", 5)
    keep(desk, "anna", decision(desk, first), decision(desk, second, "skip"))
    decide_all(desk, "bob", take(desk, "bob", 2))
    with desk.read() as connection:
        standing = progress_of(connection, "anna")
    assert (standing.done, standing.skipped, standing.total) == (1, 1, ALL)
    assert standing.left == ALL - 1 - len(rows(desk, WORK, WORK.c.done > 0, WORK.c.record_id != first))


def test_claim_reads_no_more_with_a_long_history(desk: Store) -> None:
    """The rows that a claim looks at do not grow with what the annotator has done: counted, not timed."""
    overlap(desk, 2)
    statements: list[str] = []
    sa.event.listen(desk.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    take(desk, "anna", 1)
    few = len(statements)
    decide_all(desk, "anna", take(desk, "anna", 60))
    statements.clear()
    found = take(desk, "anna", 1)
    assert len(statements) <= few + 1
    with desk.read() as connection:
        groups = set(connection.scalars(sa.select(WORK.c.closed_to).where(WORK.c.open > 0)))
    assert groups == {"", "\nanna\n"} and len(found) == 1


def test_claims_and_decisions_of_many_threads_give_no_duplicate(desk: Store) -> None:
    overlap(desk, 2)
    names = ("anna", "bob", "carl")
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            while records := take(desk, name, 7, now=time.time()):
                keep(desk, name, *(decision(desk, record) for record in records), now=time.time())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[name]) for name in names * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    seats = rows(desk, ASSIGNMENT)
    assert len(seats) == 2 * ALL and all(seat.done for seat in seats)
    assert set(Counter(seat.record_id for seat in seats).values()) == {2}


def test_two_tabs_of_one_person_never_hold_one_record_twice(desk: Store) -> None:
    with desk.write() as connection:
        first = claim(connection, "anna", 3, now=NOW)
    assert take(desk, "anna", 3) == first
    assert len(rows(desk, ASSIGNMENT)) == 3


def test_overlap_that_changes_while_a_claim_is_on_its_way_counts_its_seat(desk: Store) -> None:
    change = threading.Thread(target=overlap, args=(desk, 2))
    with desk.write() as connection:
        (record,) = claim(connection, "anna", 1, now=NOW)
        change.start()
        time.sleep(0.5)  # it waits for this transaction
    change.join()
    assert rows(desk, WORK, WORK.c.record_id == record)[0].open == 1
