from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from train.bootstrap import draw, interval, resampled_auc
from train.delong import auc_difference, delong
from train.paper_table import PAPER_BACKBONES, TABLE_METRICS, paper_figures
from train.study_scores import Outcome, Truth, compare

RESAMPLES = 400


def make_truth(n: int = 120) -> Truth:
    positive = np.arange(n) // 2 % 2 == 1
    return Truth(
        images=tuple(f"{place:03}.png" for place in range(n)),
        positive=positive,
        patient_ids=tuple(f"p{place // 2}" for place in range(n)),
    )


def make_run(truth: Truth, seed: int, gain: float = 1.0) -> Outcome:
    noise = np.random.default_rng(seed).normal(size=len(truth.positive))
    ranked = gain * (truth.positive - 0.5) + noise
    return Outcome(seed, ranked, ranked >= 0.1)


def test_study_scores_means_are_those_of_scikit_learn() -> None:
    truth = make_truth()
    runs = [make_run(truth, seed) for seed in range(3)]
    found = compare(truth, runs, [], bootstraps=RESAMPLES).baseline
    by_metric = {
        "auc": [roc_auc_score(truth.positive, run.ranked) for run in runs],
        "sensitivity": [recall_score(truth.positive, run.called) for run in runs],
        "f1": [f1_score(truth.positive, run.called) for run in runs],
        "accuracy": [accuracy_score(truth.positive, run.called) for run in runs],
    }
    assert set(found) == set(TABLE_METRICS)
    for name, values in by_metric.items():
        assert found[name].mean == pytest.approx(np.mean(values))
        assert found[name].sd == pytest.approx(np.std(values, ddof=1))
        low, high = found[name].low, found[name].high
        assert low is not None and high is not None and low < found[name].mean < high


def test_study_scores_difference_equals_the_paired_bootstrap() -> None:
    truth = make_truth()
    weak, strong = ([make_run(truth, seed, gain) for seed in range(4)] for gain in (0.8, 2.0))
    found = compare(truth, weak, strong, seed=5, bootstraps=RESAMPLES).difference["auc"]
    resamples = draw(truth.patient_ids, seed=5, resamples=RESAMPLES)
    first, second = (np.stack([run.ranked for run in runs]) for runs in (strong, weak))
    by_run = np.stack(
        [
            resampled_auc(truth.positive, one, resamples) - resampled_auc(truth.positive, other, resamples)
            for one, other in zip(first, second, strict=True)
        ]
    )
    drawn = np.random.default_rng(5).integers(0, 4, by_run.shape)
    expected = interval(np.array([by_run[runs, place].mean() for place, runs in enumerate(drawn.T)]))
    value = np.mean([roc_auc_score(truth.positive, row) for row in first])
    value -= np.mean([roc_auc_score(truth.positive, row) for row in second])
    assert (found.mean, found.low, found.high) == pytest.approx((value, expected.low, expected.high))
    assert expected.low is not None and expected.high is not None
    assert found.half_width == pytest.approx((expected.high - expected.low) / 2)


def test_study_scores_delong_compares_the_mean_logits_of_both() -> None:
    truth = make_truth()
    weak, strong = ([make_run(truth, seed, gain) for seed in range(4)] for gain in (0.8, 2.0))
    found = compare(truth, weak, strong[:3], bootstraps=RESAMPLES).delong
    means = np.stack([np.mean([run.ranked for run in runs[:3]], axis=0) for runs in (strong, weak)])
    assert found == auc_difference(delong(truth.positive, means, truth.patient_ids))
    assert compare(truth, [], strong, bootstraps=RESAMPLES).delong is None
    assert compare(truth, weak, weak, bootstraps=RESAMPLES).delong.p is None


def test_study_scores_pairs_the_seeds_that_both_have() -> None:
    truth = make_truth()
    runs = [make_run(truth, seed) for seed in range(4)]
    found = compare(truth, runs[:3], runs[1:], bootstraps=RESAMPLES)
    assert found.baseline["auc"].runs == found.ladnn["auc"].runs == 3
    assert found.difference["auc"].runs == 2
    assert found.difference["auc"].mean == found.difference["auc"].low == found.difference["auc"].high == 0
    assert compare(truth, runs[:1], runs[1:], bootstraps=RESAMPLES).difference == {}


def test_study_scores_one_run_has_no_spread_and_one_patient_no_interval() -> None:
    truth = make_truth()
    alone = compare(truth, [], [make_run(truth, 0)], bootstraps=RESAMPLES).ladnn["f1"]
    assert alone.sd is None and alone.low is not None
    one_each = Truth(truth.images[:4], truth.positive[:4], ("a", "a", "b", "b"))
    few = compare(one_each, [], [make_run(one_each, 0)], bootstraps=RESAMPLES).ladnn["auc"]
    assert few.low is None and few.half_width is None and 0 <= few.mean <= 1


def test_study_scores_order_of_runs_changes_nothing() -> None:
    truth = make_truth()
    runs = [make_run(truth, seed) for seed in range(3)]
    assert compare(truth, runs, runs, bootstraps=50) == compare(truth, runs[::-1], runs, bootstraps=50)


def test_study_scores_the_papers_table_is_whole() -> None:
    for backbone in PAPER_BACKBONES:
        assert set(paper_figures(backbone, "anything")) == set(TABLE_METRICS)
        assert set(paper_figures(backbone, "D0+D1")) == {"auc"}
    assert paper_figures("resnet18", "D0")["auc"] == (83.0, 88.2)
    assert paper_figures("squeezenet1_1", "D0") == {}
