"""The learning rate as a pure function of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math

ONECYCLE_START = 25.0
ONECYCLE_RISE = 0.3
ONECYCLE_END = 1e4


def rate_factor(schedule: str, step: int, *, total: int, warmup: int = 0) -> float:
    """The share of the highest learning rate that a step uses.

    ``cosine`` falls from 1 to 0 along half a cosine, ``constant`` stays at 1, both after a linear rise over
    ``warmup`` steps. ``onecycle`` rises from 1/25 over 30 % of the steps and falls to 1/250,000 (Smith & Topin
    2018, arXiv:1708.07120, with the cosine form and the numbers of PyTorch's OneCycleLR).

    Args:
        step: from 0 to ``total`` - 1.
        total: steps of the whole run.
        warmup: steps of the rise; of no effect on ``onecycle``.

    Returns:
        from 0 to 1.

    >>> [round(rate_factor("cosine", step, total=4), 2) for step in range(4)]
    [1.0, 0.85, 0.5, 0.15]
    """
    if schedule == "onecycle":
        return _onecycle(step, total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    return _between(1.0, 0.0, (step - warmup) / max(total - warmup, 1))


def _onecycle(step: int, total: int) -> float:
    top = max(ONECYCLE_RISE * total - 1, 0.0)
    start, end = 1 / ONECYCLE_START, 1 / ONECYCLE_START / ONECYCLE_END
    if step < top:
        return _between(start, 1.0, step / top)
    return _between(1.0, end, (step - top) / max(total - 1 - top, 1.0))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
