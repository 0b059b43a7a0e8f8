"""What CT slices in DICOM are seen through; light, so that ``--help`` waits for nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """The Hounsfield units that become black and white: ``centre - width / 2`` and ``centre + width / 2``."""

    centre: float = -600.0
    width: float = 1500.0


LUNG = Window()
