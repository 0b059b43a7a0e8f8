"""Divide groups among sets as evenly as can be: an optimum search by mixed-integer programming.

Three aims, each without giving up the one before: (1) everything that must be in every set is there, (2)
patients per class keep the ratios, (3) all other amounts do, in relation to their totals. A count that is
its target rounded up or down is perfect. Groups with equal amounts are interchangeable, so the search
decides how many of each kind go where, and a seeded hash of their names which ones.

With more than ``EXACT`` kinds, groups are first placed one by one where they are missed most, the largest
first; then what is rare and a reserve of what is common is taken out again, and the search places that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from annotate.search import BoolArray, FloatArray, Goal, IntArray, Search

EXACT = 500
_RARE = 20
_STRICTER = 3
_RESERVE_KINDS = 20  # of each amount
_RESERVE_GROUPS = 5  # of each kind and set


@dataclass(frozen=True)
class Amounts:
    """What each group holds: ``values`` has shape (n_groups, n_amounts).

    Attributes:
        names: of the groups; they settle which of several equal groups goes where.
        fixed: the set a group is in already, -1 where it is free; shape (n_groups,).
        covered: amounts that every set must have; shape (n_amounts,).
        strict: amounts that keep the ratios before all others; shape (n_amounts,).
    """

    names: Sequence[str]
    values: IntArray
    fixed: IntArray
    covered: BoolArray
    strict: BoolArray

    def goal(self, ratios: Sequence[float]) -> Goal:
        """What a division into sets with these shares must come near to."""
        return Goal(self.values.sum(axis=0), self.covered, self.strict, np.asarray(ratios, dtype=np.float64))


@dataclass(frozen=True)
class Placed:
    """The set of every group, shape (n_groups,), and whether no better division exists."""

    sets: IntArray
    optimal: bool


@dataclass(frozen=True)
class Deviation:
    """How far a division is from its aims; 0 is perfect.

    ``lacking``: amounts times sets that they are absent from. ``strict``: units beyond the rounded
    targets. ``relative``: the same for the other amounts, as shares of their totals, summed up.
    """

    lacking: int
    strict: float
    relative: float


def place(amounts: Amounts, ratios: Sequence[float], *, seed: int = 0) -> Placed:
    """Choose a set for every free group; fixed ones stay. The order of the groups does not matter.

    Args:
        ratios: share of each set, summing to 1; a set with 0 gets no free group.
        seed: chooses among equally good divisions.
    """
    order = _seeded_order(amounts.names, seed)
    free = order[amounts.fixed[order] < 0]
    if not len(free):
        return Placed(amounts.fixed.copy(), True)
    kinds, kind_of = _kinds(amounts.values[free], seed)
    sizes = np.bincount(kind_of)
    numbers, optimal = _divide(
        amounts.goal(ratios), counts(amounts, amounts.fixed, len(ratios)), kinds, sizes
    )
    sets = amounts.fixed.copy()
    one_by_one = np.repeat(np.tile(np.arange(len(ratios)), len(kinds)), numbers.ravel())
    sets[free[np.argsort(kind_of, kind="stable")]] = one_by_one
    return Placed(sets, optimal or measure(amounts, sets, ratios) == Deviation(0, 0.0, 0.0))


def measure(amounts: Amounts, sets: IntArray, ratios: Sequence[float]) -> Deviation:
    """How far this division is from the aims, over the sets whose ratio is not 0."""
    goal = amounts.goal(ratios)
    held = counts(amounts, sets, len(ratios))
    low, high = goal.targets
    beyond = np.maximum(held - high, low - held).clip(0).sum(axis=1)
    lacking = (held[goal.needed][:, goal.ratios > 0] == 0).sum()
    relative = (beyond * goal.weights).sum()
    return Deviation(int(lacking), float(beyond[amounts.strict].sum()), float(relative))


def counts(amounts: Amounts, sets: IntArray, n_sets: int) -> IntArray:
    """What the groups of each set hold; shape (n_amounts, n_sets)."""
    return np.stack([amounts.values[sets == chosen].sum(axis=0) for chosen in range(n_sets)], axis=1)


def _divide(goal: Goal, base: IntArray, kinds: IntArray, sizes: IntArray) -> tuple[IntArray, bool]:
    """How many groups of each kind go to each set, (n_kinds, n_sets), and whether that is the proven optimum."""
    numbers = np.zeros((len(kinds), len(goal.ratios)), dtype=np.int64)
    if len(kinds) > EXACT:
        numbers = _settled(goal, base, kinds, sizes)
    left = sizes - numbers.sum(axis=1)
    open_kinds = left > 0
    search = Search(goal, base + kinds.T @ numbers, kinds[open_kinds], left[open_kinds])
    found, optimal = search.solve()
    numbers[open_kinds] += found
    return numbers, optimal and len(kinds) <= EXACT


def _settled(goal: Goal, base: IntArray, kinds: IntArray, sizes: IntArray) -> IntArray:
    """What needs no search: all groups but what is rare, and some of what is common."""
    numbers = _one_by_one(goal, base, kinds, sizes)
    holders = sizes @ (kinds > 0)
    rare = (kinds[:, (holders < _RARE) & goal.covered] > 0).any(axis=1)
    commonest = np.lexsort((_largest_share(goal, kinds), -sizes))
    reserve = [commonest[kinds[commonest, amount] > 0][:_RESERVE_KINDS] for amount in range(kinds.shape[1])]
    kept_back = np.unique(np.concatenate(reserve))
    numbers[kept_back] = (numbers[kept_back] - _RESERVE_GROUPS).clip(0)
    numbers[rare] = 0
    return numbers


def _one_by_one(goal: Goal, base: IntArray, kinds: IntArray, sizes: IntArray) -> IntArray:
    """Place every group where what it holds is missed most, the largest first; (n_kinds, n_sets)."""
    weights = (1 + _STRICTER * goal.strict) / np.maximum(goal.totals, 1) ** 2
    surplus = base - np.outer(goal.totals, goal.ratios)
    share = np.where(goal.ratios > 0, goal.ratios, np.nan)
    largest = _largest_share(goal, kinds)
    numbers = np.zeros((len(kinds), len(goal.ratios)), dtype=np.int64)
    order = np.argsort(-largest, kind="stable")
    for kind in np.repeat(order, sizes[order]):
        chosen = int(np.nanargmin((kinds[kind] * weights) @ surplus / share))
        numbers[kind, chosen] += 1
        surplus[:, chosen] += kinds[kind]
    return numbers


def _largest_share(goal: Goal, kinds: IntArray) -> FloatArray:
    """Of a kind's amounts, the largest in relation to its total; shape (n_kinds,)."""
    shares: FloatArray = (kinds / np.maximum(goal.totals, 1)).max(axis=1)
    return shares


def _kinds(values: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """The distinct rows, in an order of the seed (it breaks ties of the search), and the kind of each row."""
    kinds, kind_of = np.unique(values, axis=0, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(kinds))
    return kinds[shuffled], np.argsort(shuffled)[kind_of.reshape(-1)]


def _seeded_order(names: Sequence[str], seed: int) -> IntArray:
    """An order of the groups that depends on their names and the seed alone."""
    keys = [blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest() for name in names]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
