"""The result of an evaluation as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nlp.compare import Joined, clusters
from nlp.reference import Reference
from nlp.schema import COVID, STATES
from nlp.scores import MICRO, RESAMPLES, Metric, Scores, TargetScore

_SHOWN_NAMES = 10


def report(joined: Joined, scores: Scores, reference: Reference) -> str:
    """The result as text: what joined, the scores, the confusion table."""
    parts = [*_joining(joined, reference), "", format_table(_score_rows(scores)), "", _legend(joined, scores)]
    return "\n".join([*parts, "", format_table(_confusion_rows(scores, joined.five_states))])


def _joining(joined: Joined, reference: Reference) -> Iterator[str]:
    total = len(joined.pairs) + len(joined.missing)
    how = f"by {joined.by}" if joined.by == "text" else f"by {reference.id_column} = image"
    yield f"{len(joined.pairs)} of {total} reference rows joined {how}"
    if joined.missing:
        yield f"  not in the labels: {_some(joined.missing, len(joined.missing))}"
    if joined.extra:
        yield f"  labels rows without reference: {joined.extra} ({_some(joined.extra_images, joined.extra)})"
    if joined.shared:
        yield f"  {joined.shared} further labels rows hold a text that joined before; the first one counts"
    if joined.overruled:
        yield (
            f"  {joined.overruled} cells of the labels are not what their mentions say (edited by people, or"
            " mentions of another run); the cell counts"
        )
    if not joined.five_states:
        yield (
            "  four states: resolved is counted as negated on both sides, because the mentions file or the"
            " reference does not tell them apart"
        )


def _some(names: Sequence[str], total: int) -> str:
    shown = ", ".join(names[:_SHOWN_NAMES])
    return shown + (f" and {total - _SHOWN_NAMES} more" if total > _SHOWN_NAMES else "")


def _score_rows(scores: Scores) -> Iterator[Sequence[str]]:
    yield "", "precision", "recall", "F1", "state accuracy", "positive", "n"
    for target in scores.targets:
        metrics = (target.precision, target.recall, target.f1, target.accuracy)
        compared = f" of {target.n_compared}"
        *first, last = map(format_metric, metrics)
        yield target.target, *first, last + compared, str(target.n_positive), str(target.n)


def _legend(joined: Joined, scores: Scores) -> str:
    unit = "clusters" if clusters(joined)[1] else "records"
    return (
        f"95 % bootstrap intervals over {scores.n_clusters} {unit} ({RESAMPLES} samples). State accuracy:\n"
        f"over the cells that reference or output mentions; {COVID}: over the rows whose reference is clear."
    )


def _confusion_rows(scores: Scores, five_states: bool) -> Iterator[Sequence[str]]:
    states = [state for state in STATES if five_states or state != "resolved"]
    yield "reference \\ output", *states, "found"
    for state in states:
        counts = scores.confusion[STATES.index(state)]
        found, total = scores.found(state)
        yield state, *(str(counts[STATES.index(other)]) for other in states), f"{found} of {total}"


def as_json(joined: Joined, scores: Scores, reference: Reference, seed: int) -> dict[str, Any]:
    """What ``--json`` writes; an undefined metric is null, with its n beside it."""
    by_cluster = clusters(joined)[1]
    return {
        "n": len(joined.pairs),
        "joined_by": joined.by,
        "not_joined": list(joined.missing),
        "labels_without_reference": joined.extra,
        "five_states": joined.five_states,
        "bootstrap": {
            "unit": reference.cluster_column if by_cluster else "record",
            "n_units": scores.n_clusters,
            "resamples": RESAMPLES,
            "seed": seed,
        },
        **scores_json(scores),
    }


def scores_json(scores: Scores) -> dict[str, Any]:
    """The metrics of every finding, of all together and of COVID (null without), and the confusion table."""
    metrics = {target.target: _target_json(target) for target in scores.targets}
    return {
        "findings": {name: values for name, values in metrics.items() if name not in (MICRO, COVID)},
        MICRO: metrics[MICRO],
        COVID: metrics.get(COVID),
        "confusion": {
            state: dict(zip(STATES, map(int, row), strict=True))
            for state, row in zip(STATES, scores.confusion, strict=True)
        },
    }


def _target_json(target: TargetScore) -> dict[str, float | int | None]:
    result: dict[str, float | int | None] = {
        "n": target.n,
        "n_positive": target.n_positive,
        "n_output": target.n_output,
    }
    named = {"precision": target.precision, "recall": target.recall, "f1": target.f1}
    for name, metric in (named | {"state_accuracy": target.accuracy}).items():
        result |= {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}
    return result | {"n_state_accuracy": target.n_compared}


def format_metric(metric: Metric) -> str:
    """A value with its interval, or a dash where it is undefined.

    >>> format_metric(Metric(0.5, 0.25, 0.75))
    '.500 (.250 to .750)'
    """
    if metric.value is None or metric.low is None or metric.high is None:
        return "-"
    value, low, high = (f"{part:.3f}".removeprefix("0") for part in (metric.value, metric.low, metric.high))
    return f"{value} ({low} to {high})"


def format_table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as aligned columns, the first one the header."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)
