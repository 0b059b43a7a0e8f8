"""The optimum search behind ``annotate.balance``: three mixed-integer programs, one aim after the other.

The solver is HiGHS (Huangfu and Hall, 2018, doi:10.1007/s12532-017-0130-5) through scipy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, identity, kron

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NODES = 500
"""The search is limited by nodes, not by seconds: the result must not depend on the machine."""

_COVER_FIRST = (0.02, 0.0, 0.01)  # what two groups have goes to train and test before val
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Goal:
    """What a division must come near to.

    Attributes:
        totals: of each amount; shape (n_amounts,).
        covered: amounts that every set must have; shape (n_amounts,).
        strict: amounts that keep the ratios before all others; shape (n_amounts,).
        ratios: share of each set; shape (n_sets,).
    """

    totals: IntArray
    covered: BoolArray
    strict: BoolArray
    ratios: FloatArray

    @property
    def targets(self) -> tuple[FloatArray, FloatArray]:
        """Each amount's target per set, rounded down and up; shapes (n_amounts, n_sets)."""
        exact = np.round(np.outer(self.totals, self.ratios), 9)
        return np.floor(exact), np.ceil(exact)

    @property
    def needed(self) -> BoolArray:
        """Amounts that every set must have and that exist at all; shape (n_amounts,)."""
        return self.covered & (self.totals > 0)

    @property
    def weights(self) -> FloatArray:
        """What one unit counts in the third aim; shape (n_amounts,)."""
        return np.where(self.strict, 0.0, 1.0 / np.maximum(self.totals, 1))


class Search:
    """The program: how many groups of each kind go to each set, numbers of shape (n_kinds, n_sets).

    Variables, in this order: the numbers, then per amount and set what is lacking (0 or 1), and what is
    beyond the rounded target.

    Args:
        base: what the sets hold already; shape (n_amounts, n_sets).
        kinds: what one group of each kind holds; shape (n_kinds, n_amounts).
        sizes: groups of each kind; shape (n_kinds,).
    """

    def __init__(self, goal: Goal, base: IntArray, kinds: IntArray, sizes: IntArray) -> None:
        self.shape = (len(kinds), len(goal.ratios))
        self.cells = base.size
        used = goal.ratios > 0
        upper = [np.outer(sizes, used).ravel(), np.full(2 * self.cells, np.inf)]
        self.bounds = Bounds(0, np.concatenate(upper))
        self.constraints = self._constraints(goal, base, kinds, sizes)
        every = np.ones(len(used))
        needed = np.outer(goal.needed, used) * (1 + np.resize(_COVER_FIRST, len(used)))
        self.aims = [
            self._aim(lacking=needed),
            self._aim(beyond=np.outer(goal.strict, every)),
            self._aim(beyond=np.outer(goal.weights, every)),
        ]
        first = np.outer(sizes, np.arange(len(used)) == np.argmax(used)).astype(float)
        self.fallback = np.concatenate([first.ravel(), np.zeros(2 * self.cells)])

    def solve(self) -> tuple[IntArray, bool]:
        """The numbers, and whether every aim's optimum is proven."""
        integrality = np.repeat([1, 0], [self.shape[0] * self.shape[1], 2 * self.cells])
        constraints, best, optimal = [*self.constraints], self.fallback, True
        for aim in self.aims:
            found = milp(
                aim,
                integrality=integrality,
                bounds=self.bounds,
                constraints=constraints,
                options={"node_limit": NODES, "mip_rel_gap": _TOLERANCE},
            )
            optimal &= found.status == 0
            if found.x is not None:  # else the numbers that served the aims before stand
                best = found.x
                constraints.append(LinearConstraint(aim[None, :], ub=aim @ best + _TOLERANCE))
        numbers = np.rint(best[: integrality.sum()]).astype(np.int64)
        return numbers.reshape(self.shape), optimal

    def _constraints(
        self, goal: Goal, base: IntArray, kinds: IntArray, sizes: IntArray
    ) -> list[LinearConstraint]:
        each = identity(self.shape[1])
        held = kron(csr_array(kinds.T), each)  # (amounts x sets, kinds x sets)
        has = kron(csr_array((kinds.T > 0).astype(float)), each)
        placed = kron(identity(len(kinds)), np.ones((1, self.shape[1])))
        own, none = identity(self.cells), csr_array((self.cells, self.cells))
        low, high = (target.ravel() for target in goal.targets)
        already = base.ravel()
        return [
            LinearConstraint(hstack([placed, csr_array((len(kinds), 2 * self.cells))]), sizes, sizes),
            LinearConstraint(hstack([has, own, none]), lb=1 - np.minimum(already, 1)),
            LinearConstraint(hstack([held, none, -own]), ub=high - already),
            LinearConstraint(hstack([held, none, own]), lb=low - already),
        ]

    def _aim(self, *, lacking: FloatArray | None = None, beyond: FloatArray | None = None) -> FloatArray:
        parts = [np.zeros(self.cells) if part is None else part.ravel() for part in (lacking, beyond)]
        return np.concatenate([np.zeros(self.shape[0] * self.shape[1]), *parts])
