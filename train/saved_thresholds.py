"""Thresholds and temperature of a finished run, from its metrics.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlp.errors import InputError
from train.calibration import Calibration
from train.operating_point import OperatingPoint, Thresholds


def read_thresholds(metrics: Path) -> Thresholds:
    """What val chose in a run.

    Raises:
        InputError: there is no such file, as in an unfinished run, or it is no metrics.json of a run.
    """
    try:
        return thresholds_from(json.loads(metrics.read_text(encoding="utf-8"))["thresholds"])
    except FileNotFoundError as error:
        raise InputError(f"{metrics.parent} is no finished run: there is no {metrics.name}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{metrics} cannot be read as a run's metrics: {type(error).__name__}") from error


def thresholds_from(saved: Mapping[str, Any]) -> Thresholds:
    """The inverse of ``Thresholds.as_json``."""
    return Thresholds(
        covid19=_point(saved["covid19"]),
        findings={key: _point(each) for key, each in saved["findings"].items()},
        calibration=Calibration(**saved["calibration"]),
    )


def _point(saved: Mapping[str, Any]) -> OperatingPoint:
    return OperatingPoint(**{name: value for name, value in saved.items() if name != "probability"})
