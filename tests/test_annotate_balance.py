"""``annotate.balance``: the division that is found is the best there is, by trying all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate import balance
from annotate.balance import Amounts, Deviation, counts, measure, place

RATIOS = (0.6, 0.15, 0.25)
Rows = Sequence[Sequence[int]]


def amounts(values: Rows, fixed: Sequence[int] = (), covered: int = 2, strict: int = 1) -> Amounts:
    """Groups a, b, c ...: the first ``strict`` amounts keep the ratios, the first ``covered`` are in every set."""
    table = np.array(values, dtype=np.int64)
    places = np.array(fixed or [-1] * len(table), dtype=np.int64)
    columns = np.arange(table.shape[1])
    return Amounts(
        [chr(97 + i) for i in range(len(table))], table, places, columns < covered, columns < strict
    )


def badness(groups: Amounts, sets: Sequence[int], ratios: Sequence[float]) -> tuple[float, ...]:
    """The three aims by plain loops; what is missing in train, then in test, weighs a little more."""
    lacking = strict = relative = 0.0
    for column in range(groups.values.shape[1]):
        total = int(groups.values[:, column].sum())
        for chosen, ratio in enumerate(ratios):
            held = sum(
                int(row[column]) for row, own in zip(groups.values, sets, strict=True) if own == chosen
            )
            target = round(ratio * total, 9)
            off = max(held - np.ceil(target), np.floor(target) - held, 0)
            lacking += (1.02, 1, 1.01)[chosen] * bool(groups.covered[column] and total and ratio and not held)
            strict += off * groups.strict[column]
            relative += off / max(total, 1) * (not groups.strict[column])
    return round(lacking, 6), round(strict, 6), round(relative, 5)


def best(groups: Amounts, ratios: Sequence[float]) -> tuple[float, ...]:
    """Try every division."""
    options = [
        [int(own)] if own >= 0 else [i for i, ratio in enumerate(ratios) if ratio] for own in groups.fixed
    ]
    return min(badness(groups, sets, ratios) for sets in product(*options))


rows = st.lists(st.tuples(st.just(1), st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=6)


@settings(max_examples=60)
@given(rows, st.integers(0, 3), st.data())
def test_place_is_as_good_as_the_best_of_all_divisions(values: Rows, seed: int, data: st.DataObject) -> None:
    fixed = data.draw(st.lists(st.integers(-1, 2), min_size=len(values), max_size=len(values)))
    ratios = data.draw(st.sampled_from([RATIOS, (0.8, 0.2, 0.0), (0.34, 0.33, 0.33)]))
    groups = amounts(values, fixed)
    placed = place(groups, ratios, seed=seed)
    assert placed.optimal
    assert badness(groups, placed.sets.tolist(), ratios) == best(groups, ratios)
    assert all(own in (-1, chosen) for own, chosen in zip(fixed, placed.sets, strict=True))


@settings(max_examples=30)
@given(rows, st.randoms(use_true_random=False))
def test_place_does_not_depend_on_the_order_of_the_groups(values: Rows, random: object) -> None:
    groups = amounts(values)
    order = np.array(sorted(range(len(values)), key=lambda _: random.random()))  # type: ignore[attr-defined]
    shuffled = Amounts(
        [groups.names[i] for i in order],
        groups.values[order],
        groups.fixed[order],
        groups.covered,
        groups.strict,
    )
    assert place(groups, RATIOS).sets[order].tolist() == place(shuffled, RATIOS).sets.tolist()


@given(st.integers(1, 60))
@settings(max_examples=20)
def test_place_single_groups_are_within_one_of_their_ratio(count: int) -> None:
    groups = amounts([[1, 0]] * count)
    held = counts(groups, place(groups, RATIOS).sets, 3)[0]
    assert all(
        abs(number - ratio * count) < 1 or number == 1 for number, ratio in zip(held, RATIOS, strict=True)
    )


def test_place_covers_before_it_keeps_ratios() -> None:
    groups = amounts([[1, 1], [1, 1], [1, 1], *[[1, 0]] * 17])
    placed = place(groups, RATIOS)
    assert counts(groups, placed.sets, 3).tolist() == [[12, 3, 5], [1, 1, 1]]


def test_place_two_holders_go_to_train_and_test() -> None:
    groups = amounts([[1, 1], [1, 1], *[[1, 0]] * 18])
    assert counts(groups, place(groups, RATIOS).sets, 3)[1].tolist() == [1, 0, 1]


def test_place_leaves_out_a_set_without_share() -> None:
    groups = amounts([[1, 1]] * 10)
    assert counts(groups, place(groups, (0.8, 0.0, 0.2)).sets, 3)[0].tolist() == [8, 0, 2]


def test_place_seed_chooses_among_equal_groups_only() -> None:
    groups = amounts([[1, 0, 2]] * 40)
    first, second = (place(groups, RATIOS, seed=seed).sets for seed in (0, 1))
    assert first.tolist() != second.tolist()
    assert np.bincount(first).tolist() == np.bincount(second).tolist() == [24, 6, 10]


def test_place_many_kinds_come_near_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "EXACT", 50)
    generator = np.random.default_rng(0)
    values = np.column_stack([np.ones((400, 1)), generator.integers(0, 30, (400, 4)), np.arange(400) < 3])
    groups = Amounts(
        [f"p{i}" for i in range(400)],
        values.astype(np.int64),
        np.full(400, -1),
        np.array([True, False, False, False, False, True]),
        np.array([True, *[False] * 5]),
    )
    placed = place(groups, RATIOS)
    distance = measure(groups, placed.sets, RATIOS)
    assert (distance.lacking, distance.strict) == (0, 0)
    assert distance.relative < 0.02  # of 12 counts together
    assert placed.optimal == (distance == Deviation(0, 0, 0))
