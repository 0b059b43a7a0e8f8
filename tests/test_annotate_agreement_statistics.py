"""``annotate.agreement_statistics``: equal to the libraries, to loops and to hand; words where undefined."""

from __future__ import annotations

import time
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import cohen_kappa_score

from annotate.agreement_statistics import (
    ALONE,
    LIKE_TEXT,
    NEVER,
    UNANIMOUS,
    Agreement,
    Measure,
    pair_kappa,
    people_agreement,
    text_agreement,
)
from annotate.agreement_tables import MISSING, Codes, Places, alphas, code, draw, kappas, tables

PRESENT, ABSENT, UNCERTAIN = (code(cell) for cell in ("1", "0", "-1"))
QUICK = {"resamples": 50}

readings = st.tuples(st.integers(0, 12), st.integers(0, 4)).flatmap(
    lambda shape: st.tuples(
        arrays.arrays(np.int8, shape, elements=st.integers(MISSING, UNCERTAIN)),
        arrays.arrays(np.intp, shape[0], elements=st.integers(0, 5)),
    )
)


def of(*rows: tuple[int, ...]) -> Codes:
    return np.array(rows, dtype=np.int8)


def own_patient(codes: Codes) -> Places:
    return np.arange(len(codes))


def cohort(records: int, annotators: int, *, seed: int = 0, error: float = 0.1) -> tuple[Codes, Places]:
    """Readings of rare findings with mistakes; two images a patient, two thirds of the annotators each."""
    generator = np.random.default_rng(seed)
    right = generator.choice([PRESENT, ABSENT, UNCERTAIN], records, p=[0.2, 0.7, 0.1])
    noise = generator.integers(0, 3, (records, annotators))
    codes = np.where(generator.random(noise.shape) < error, noise, right[:, np.newaxis])
    codes[generator.random(noise.shape) < 1 / 3] = MISSING
    return codes.astype(np.int8), np.arange(records) // 2


def measures(agreement: Agreement) -> list[Measure]:
    found = (agreement.alpha, agreement.kappa, agreement.raw, agreement.positive, agreement.negative)
    return [measure for measure in found if measure is not None]


# ---- points


def test_agreement_statistics_follow_the_hand_calculated_case() -> None:
    # 40 both present, 5 and 5 split, 50 both absent: Cohen's κ 0.798, positive 80/90, negative 100/110
    codes = of(*[(0, 0)] * 40, *[(0, 1)] * 5, *[(1, 0)] * 5, *[(1, 1)] * 50)
    found = people_agreement(codes, own_patient(codes), **QUICK)
    assert found.raw.value == pytest.approx(0.9)
    assert found.positive.value == pytest.approx(80 / 90)
    assert found.negative.value == pytest.approx(100 / 110)
    assert found.kappa.value == pytest.approx((0.9 - 0.505) / 0.495)
    assert found.alpha is not None and found.alpha.value == pytest.approx(1 - 199 * 20 / (2 * 90 * 110))
    assert found.prevalence == pytest.approx(0.45)
    assert (found.records, found.patients, found.disagreed) == (100, 100, 10)


def test_agreement_statistics_uncertain_does_not_say_present() -> None:
    codes = of((PRESENT, UNCERTAIN), (PRESENT, PRESENT), (ABSENT, ABSENT))
    found = people_agreement(codes, own_patient(codes), **QUICK)
    assert found.positive.value == pytest.approx(2 / 3)
    assert found.negative.value == 1
    assert found.raw.value == pytest.approx(2 / 3)


def test_agreement_statistics_rare_finding_has_low_kappa_beside_high_raw_agreement() -> None:
    codes = of(*[(ABSENT, ABSENT)] * 98, (PRESENT, ABSENT), (ABSENT, PRESENT))
    found = people_agreement(codes, own_patient(codes), **QUICK)
    assert found.raw.value == 0.98 and found.negative.value is not None and found.negative.value > 0.98
    assert found.kappa.value is not None and found.kappa.value < 0.01
    assert found.positive.value == 0


@settings(max_examples=60)
@given(readings)
def test_agreement_statistics_equal_the_libraries(data: tuple[Codes, Places]) -> None:
    codes, patients = data
    found = people_agreement(codes, patients, **QUICK)
    plain = np.where(codes == MISSING, np.nan, codes.astype(float))
    paired = plain[(codes != MISSING).sum(axis=1) > 1]
    used = len(np.unique(paired[~np.isnan(paired)]))
    assert found.alpha is not None
    if used > 1:
        assert found.alpha.value == pytest.approx(krippendorff.alpha(plain.T, level_of_measurement="nominal"))
    else:
        assert found.alpha == Measure(None, reason=UNANIMOUS if used else ALONE)
    values = []
    for first, second in combinations(range(codes.shape[1]), 2):
        both = (codes[:, [first, second]] != MISSING).all(axis=1)
        left, right = codes[both, first], codes[both, second]
        if len({*left, *right}) > 1:
            values.append(cohen_kappa_score(left, right))
            assert pair_kappa(codes[:, first], codes[:, second], patients, **QUICK).value == pytest.approx(
                values[-1]
            )
    expected = pytest.approx(np.mean(values)) if values else None
    assert found.kappa.value == expected


@settings(max_examples=60)
@given(readings)
def test_agreement_statistics_are_words_or_numbers_but_never_nan(data: tuple[Codes, Places]) -> None:
    codes, patients = data
    text = codes[:, 0] if codes.shape[1] else np.full(len(codes), MISSING, np.int8)
    for found in (
        people_agreement(codes, patients, **QUICK),
        text_agreement(text, codes, patients, **QUICK),
    ):
        for measure in measures(found):
            assert (measure.value is None) == measure.reason.startswith("undefined: ")
            assert "nan" not in str(measure)
            ends = [end for end in (measure.low, measure.high) if end is not None]
            assert np.isfinite([0.0 if measure.value is None else measure.value, *ends]).all()
            assert ends == sorted(ends)


def test_agreement_statistics_say_where_they_are_undefined() -> None:
    same = of(*[(ABSENT, ABSENT)] * 6)
    found = people_agreement(same, own_patient(same))
    assert str(found.alpha) == str(found.kappa) == UNANIMOUS == "undefined: all annotators agree"
    assert str(found.positive) == NEVER.format("present") and found.raw.value == found.negative.value == 1
    alone = of((PRESENT, MISSING), (MISSING, ABSENT))
    assert {str(each) for each in measures(people_agreement(alone, own_patient(alone)))} == {ALONE}
    by_text = text_agreement(same[:, 0], same, own_patient(same))
    assert by_text.alpha is None and str(by_text.kappa) == LIKE_TEXT
    apart = of((PRESENT, PRESENT, MISSING), (MISSING, ABSENT, ABSENT))  # each pair used one value only
    assert str(people_agreement(apart, own_patient(apart)).kappa) == UNANIMOUS


# ---- text


def test_agreement_statistics_text_counts_a_record_once() -> None:
    codes = of((PRESENT, PRESENT, PRESENT), (ABSENT, MISSING, MISSING), (PRESENT, ABSENT, MISSING))
    text = of((PRESENT, PRESENT, PRESENT))[0]
    found = text_agreement(text, codes, own_patient(codes), **QUICK)
    assert found.raw.value == pytest.approx((1 + 0 + 0.5) / 3)
    assert (found.records, found.disagreed) == (3, 2)


# ---- intervals


def test_agreement_statistics_formulas_of_resamples_equal_the_libraries() -> None:
    codes, patients = cohort(200, 2, error=0.4)
    both = (codes != MISSING).all(axis=1)
    codes, patients = codes[both], np.unique(patients[both], return_inverse=True)[1]
    counted = tables(codes[:, 0], codes[:, 1], patients)
    copies = np.random.default_rng(1).multinomial(len(counted), np.full(len(counted), 1 / len(counted)), 20)
    drawn = np.einsum("rp,pij->rij", copies, counted)
    for row, table in zip(copies, drawn, strict=True):
        again = np.repeat(codes, row[patients], axis=0)
        value = krippendorff.alpha(again.T.astype(float), level_of_measurement="nominal")
        assert alphas((table + table.T)[np.newaxis])[0] == pytest.approx(value)
        assert kappas(table) == pytest.approx(cohen_kappa_score(again[:, 0], again[:, 1]))


def test_agreement_statistics_draw_patients_as_a_loop_would() -> None:
    codes, patients = cohort(120, 2, error=0.3)
    counted = tables(codes[:, 0], codes[:, 1], patients)
    quick = kappas(draw(counted[:, np.newaxis], seed=0, resamples=4_000)[:, 0])
    chosen = np.random.default_rng(5).integers(0, len(counted), (4_000, len(counted)))
    looped = kappas(np.stack([counted[row].sum(axis=0) for row in chosen]))
    assert np.percentile(quick, [2.5, 50, 97.5]) == pytest.approx(
        np.percentile(looped, [2.5, 50, 97.5]), abs=0.02
    )


def test_agreement_statistics_intervals_resample_patients_not_records() -> None:
    codes = of((PRESENT, PRESENT), (ABSENT, ABSENT), (PRESENT, ABSENT), (ABSENT, ABSENT))
    many = np.repeat(codes, 25, axis=0)
    single = people_agreement(many, own_patient(many)).raw
    grouped = people_agreement(many, np.repeat(np.arange(4), 25)).raw  # 25 equal images of four patients
    assert single.value == grouped.value == 0.75
    assert None not in (single.low, grouped.low) and single.low > 0.6 > 0.3 >= grouped.low  # type: ignore[operator]
    one = people_agreement(many, np.zeros(len(many), dtype=np.intp)).raw
    assert (one.value, one.low, one.high, str(one)) == (0.75, None, None, "0.75")


@settings(max_examples=25)
@given(readings, st.randoms(use_true_random=False))
def test_agreement_statistics_do_not_depend_on_order(
    data: tuple[Codes, Places], random: np.random.RandomState
) -> None:
    codes, patients = data
    order = sorted(range(len(codes)), key=lambda _: random.random())
    columns = sorted(range(codes.shape[1]), key=lambda _: random.random())
    names = np.array([5, 3, 0, 1, 4, 2])
    first = people_agreement(codes, patients, **QUICK)
    other = people_agreement(codes[order][:, columns], names[patients][order], **QUICK)
    for one, two in zip(measures(first), measures(other), strict=True):
        assert (one.value, one.reason) == (pytest.approx(two.value), two.reason)


def test_agreement_statistics_repeat_with_their_seed() -> None:
    codes, patients = cohort(300, 3)
    assert people_agreement(codes, patients, seed=4) == people_agreement(codes, patients, seed=4)
    assert people_agreement(codes, patients, seed=4) != people_agreement(codes, patients, seed=5)


def test_agreement_statistics_of_5000_records_are_quick() -> None:
    codes, patients = cohort(5_000, 4)
    people_agreement(codes[:50], patients[:50], **QUICK)  # libraries load
    start = time.process_time()
    people_agreement(codes, patients)
    assert time.process_time() - start < 3  # under 1 s where nothing else runs
