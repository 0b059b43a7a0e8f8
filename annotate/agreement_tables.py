"""Readings as tables of counts: what one reader said by what another said, per patient, and resampled.

Everything about agreement follows from such tables, (n_patients, 3, 3). Resampling patients is then a weighted
sum, and patients with equal tables are drawn together, so that 2,000 resamples take a moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VALUES = ("1", "0", "-1")
"""Cells of the contract that are readings; a blank is none."""
MISSING = -1
RESAMPLES = 2_000
LEVELS = (2.5, 97.5)
FEWEST_PATIENTS = 2
"""Below that a resample repeats one patient, so there is no interval."""
_CHUNK = 4_000_000  # numbers of one bootstrap step held at once

Codes = NDArray[np.int8]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def code(cell: str) -> int:
    """The place of a cell in ``VALUES``; ``MISSING`` for a blank."""
    return VALUES.index(cell) if cell else MISSING


def differ(codes: Codes) -> NDArray[np.bool_]:
    """Which records hold readings that are not the same: (n_records, n_sources) to (n_records,)."""
    lowest = np.where(codes == MISSING, len(VALUES), codes).min(axis=1, initial=len(VALUES))
    differing: NDArray[np.bool_] = lowest < codes.max(axis=1, initial=MISSING)
    return differing


def tables(first: Codes, second: Codes, patients: Places, weights: Floats | None = None) -> Floats:
    """What the first said by what the second said, of each patient: (n_patients, 3, 3).

    Args:
        first: (n_records,), places in ``VALUES`` or ``MISSING``; records that either lacks are left out.
        second: (n_records,).
        patients: (n_records,), numbers from 0 without gaps.
        weights: (n_records,), how much a record counts; 1 by default.
    """
    both = (first != MISSING) & (second != MISSING)
    cells = patients[both] * 9 + first[both].astype(np.intp) * 3 + second[both]
    counted = np.bincount(cells, None if weights is None else weights[both], patient_count(patients) * 9)
    return counted.reshape(-1, 3, 3).astype(np.float64)


def patient_count(patients: Places) -> int:
    """How many patients there are where they are numbered from 0 without gaps."""
    return int(patients.max(initial=-1)) + 1


def renumbered(patients: Places) -> Places:
    """The same patients, numbered from 0 without gaps."""
    places: Places = np.unique(patients, return_inverse=True)[1]
    return places


def draw(counted: Floats, *, seed: int, resamples: int) -> Floats:
    """Sum the tables of as many patients as there are, drawn with replacement, again and again.

    Patients with equal tables are one kind, and kinds are drawn from a multinomial distribution: exactly the same
    as drawing patients. The order of records does not matter.

    Args:
        counted: (n_patients, n_tables, 3, 3).

    Returns:
        (n_resamples, n_tables, 3, 3); no resample below ``FEWEST_PATIENTS``.
    """
    patients, *shape = counted.shape
    if patients < FEWEST_PATIENTS:
        return np.empty((0, *shape))
    flat = np.round(counted.reshape(patients, -1), 9)  # thirds added up in another order are still one kind
    kinds, often = np.unique(flat, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK // len(kinds))
    sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
    sums = [generator.multinomial(patients, often / patients, size) @ kinds for size in sizes]
    return np.concatenate(sums).reshape(-1, *shape)


def interval(values: Floats) -> tuple[float | None, float | None]:
    """The 2.5 and 97.5 % points of the values that are defined; None where none is."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None, None
    low, high = np.percentile(defined, LEVELS)
    return float(low), float(high)


def alphas(together: Floats) -> Floats:
    """Krippendorff's α of symmetric tables of coincidences, (n, 3, 3) to (n,); NaN where undefined."""
    said = together.sum(axis=1)
    number = said.sum(axis=1)
    differing = number - np.trace(together, axis1=1, axis2=2)
    return 1 - ratio((number - 1) * differing, number**2 - (said**2).sum(axis=1))


def kappas(counted: Floats) -> Floats:
    """Cohen's κ, (..., 3, 3) to (...); NaN where undefined."""
    number = counted.sum(axis=(-2, -1))
    chance = (counted.sum(axis=-1) * counted.sum(axis=-2)).sum(axis=-1)
    agreed = np.trace(counted, axis1=-2, axis2=-1)
    return ratio(number * agreed - chance, number**2 - chance)


def mean_kappas(counted: Floats) -> Floats:
    """Cohen's κ averaged over the tables in which it is defined, (n, n_tables, 3, 3) to (n,)."""
    values = kappas(counted)
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=1), defined.sum(axis=1).astype(np.float64))


def raw_agreement(together: Floats) -> Floats:
    """Probability that two readings are the same, (n, 3, 3) to (n,); NaN without readings."""
    return ratio(np.trace(together, axis1=1, axis2=2), together.sum(axis=(1, 2)))


def specific_agreement(together: Floats, value: int) -> Floats:
    """Probability that a second reading has this value where a first has it; NaN where none has."""
    return ratio(together[:, value, value], together[:, value].sum(axis=1))


def ratio(part: Floats, whole: Floats) -> Floats:
    """The quotient; NaN where the whole is 0."""
    divided: Floats = np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
    return divided
