"""How good the head of named classes is: each class against the rest, all together, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from train.bootstrap import RESAMPLES, Resamples, draw, interval, resampled_auc
from train.classes import UNKNOWN, class_probabilities, class_targets
from train.metrics import Output, merged, score_output
from train.operating_point import OperatingPoint
from train.population import Population
from train.records import Records

Floats = NDArray[np.float64]
RULE = "the most probable class"


def score_classes(
    records: Records,
    logits: NDArray[np.floating],
    names: Sequence[str],
    *,
    seed: int,
    bootstraps: int = RESAMPLES,
) -> dict[str, Any]:
    """The value of ``metrics.json[split]["diagnosis"]``, over the records whose diagnosis is known.

    Every class has what the flag has; it is called where it is the most probable one, and ranked by its probability.
    Accuracy and the mean of the classes' AUCs have intervals over patients, like all figures here.

    Args:
        logits: (n_records, K), one per name.
    """
    targets = class_targets(records, names)
    rows = np.flatnonzero(targets != UNKNOWN)
    known, logits = targets[rows], np.asarray(logits, dtype=np.float64)[rows]
    patients = tuple(records.patient_ids[row] for row in rows)
    called = logits.argmax(axis=1)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (known, called), 1)
    outputs = {
        name: _one_against_rest(known == place, logits, place, rows, patients, seed, bootstraps)
        for place, name in enumerate(names)
    }
    return {
        "n": len(rows),
        "n_patients": len(set(patients)),
        **_together(known, called, logits, patients, draw(patients, seed=seed, resamples=bootstraps)),
        "confusion": {"classes": list(names), "counts": counts.tolist()},
        "classes": {name: output.as_json() for name, output in outputs.items()},
    }


def _one_against_rest(
    positive: NDArray[np.bool_],
    logits: Floats,
    place: int,
    rows: NDArray[np.intp],
    patients: tuple[str, ...],
    seed: int,
    bootstraps: int,
) -> Output:
    population = Population(rows, positive, place, patients)
    others = np.delete(logits, place, axis=1)
    # the sigmoid of these odds is the softmax's probability; of the margin, one half is where the class is called
    odds = logits[:, place] - logsumexp(others, axis=1)
    margin = logits[:, place] - others.max(axis=1)
    point = OperatingPoint()
    ranked, decided = (score_output(population, each, point, seed, bootstraps) for each in (odds, margin))
    return merged(ranked, decided, RULE)


def _together(
    known: NDArray[np.int64],
    called: NDArray[np.int64],
    logits: Floats,
    patients: Sequence[str],
    resamples: Resamples,
) -> dict[str, float | None]:
    """Accuracy and macro AUC, each with its interval; None where a class, or a second patient, is missing."""
    found: dict[str, float | None] = {"accuracy": float((known == called).mean()) if len(known) else None}
    probabilities = class_probabilities(logits)
    classes = range(logits.shape[1])
    every = all((known == each).any() and (known != each).any() for each in classes)
    areas = [float(roc_auc_score(known == each, probabilities[:, each])) for each in classes] if every else []
    found["macro_auc"] = float(np.mean(areas)) if areas else None
    enough = every and len(set(patients)) > 1
    sums = resamples.sums(np.stack([known == called, np.ones_like(known)], axis=1).astype(np.float64))
    drawn = {"accuracy": sums[0] / sums[1]} if enough else {}
    if enough:
        each_class = [resampled_auc(known == each, probabilities[:, each], resamples) for each in classes]
        drawn["macro_auc"] = np.mean(each_class, axis=0)
    for name in ("accuracy", "macro_auc"):
        between = interval(drawn[name]) if name in drawn else None
        found[f"{name}_low"] = between.low if between else None
        found[f"{name}_high"] = between.high if between else None
    return found
