"""When the work may be finished: a range from how fast and how steadily people have worked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_DECISIONS = 20
_DAYS = 7  # active days that count for the pace
_FEWEST_DAYS = 3
_QUARTILES = (25, 75)
_QUARTER = 900  # seconds


@dataclass(frozen=True)
class Estimate:
    """A range, as wide as the speed has varied.

    Attributes:
        hours: of work that are left, fewest and most, all annotators together.
        dates: first and last day on which it may be finished at the pace of the last active days; None before
            there were three of them.
        days: how many active days the pace is taken from.
    """

    hours: tuple[float, float]
    dates: tuple[date, date] | None
    days: int

    def __str__(self) -> str:
        said = f"about {_range(*self.hours)} of work are left"
        if self.dates is None:
            return f"{said}; a date can be told after {_FEWEST_DAYS} days of work"
        first, last = (f"{day:%-d %B %Y}" for day in self.dates)
        when = f"on {first}" if first == last else f"between {first} and {last}"
        return f"{said}; at the pace of the last {self.days} days of work it is finished {when}"


def estimate(
    times: Floats, gaps: Floats, left: int, *, now: float, zone: tzinfo | None = None
) -> Estimate | None:
    """Estimate the end; None where nothing is left, or below ``FEWEST_DECISIONS``.

    Args:
        times: (n,), Unix seconds of all confirmations.
        gaps: (m,), seconds of work that confirmations took, in order of time; without pauses.
        left: readings that are missing.
        zone: where a day ends; by default that of this computer.
    """
    if not left or len(gaps) < FEWEST_DECISIONS:
        return None
    size = min(FEWEST_DECISIONS, len(gaps) // 4)
    blocks = gaps[len(gaps) % size :].reshape(-1, size).mean(axis=1)  # single gaps vary too much
    fast, slow = np.percentile(blocks, _QUARTILES)
    hours = left * float(fast) / 3600, left * float(slow) / 3600
    return Estimate(hours, *_dates(times, left, now, zone))


def local_days(times: Floats, zone: tzinfo | None) -> list[date]:
    """The day of each time, where the zone is."""
    # days begin at a quarter of an hour of every zone, so that few times are looked up
    quarters, which = np.unique(times // _QUARTER, return_inverse=True)
    days = [datetime.fromtimestamp(quarter * _QUARTER, zone).date() for quarter in quarters]
    return [days[place] for place in which.tolist()]


def _dates(times: Floats, left: int, now: float, zone: tzinfo | None) -> tuple[tuple[date, date] | None, int]:
    today = datetime.fromtimestamp(now, zone).date()
    days, counts = np.unique(np.array(local_days(times, zone), dtype="datetime64[D]"), return_counts=True)
    ended = days < np.datetime64(today)  # today is not over
    days, counts = days[ended][-_DAYS:], counts[ended][-_DAYS:]
    if len(days) < _FEWEST_DAYS:
        return None, len(days)
    every = ((days[-1] - days[0]).astype(int) + 1) / len(days)  # calendar days for one of work
    few, many = np.percentile(counts, _QUARTILES)
    first, last = (today + timedelta(days=int(np.ceil(left / pace * every))) for pace in (many, few))
    return (first, last), len(days)


def _range(low: float, high: float) -> str:
    if high < 1:
        low, high, unit = low * 60, high * 60, "minutes"
    else:
        unit = "hours"
    first, last = (
        f"{max(value, 1):,.0f}" if value >= 10 or unit == "minutes" else f"{value:.1f}"
        for value in (low, high)
    )
    return f"{first} {unit}" if first == last else f"{first} to {last} {unit}"
