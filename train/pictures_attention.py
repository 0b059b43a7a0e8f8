"""Where a run's network looks in a few of its own images, for the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from train.explain_files import six_panels
from train.explain_settings import Settings
from train.explainer import Explainer, Unreadable
from train.finding_facts import finding_codes
from train.lesion_marks import Marks
from train.pictures import Picture
from train.run_files import Run
from train.run_folder import MODEL_FILE
from train.shown import show

WIDEST = 330
"""Pixels of a panel: six of them fill the page."""
_CONFIRMED = 2
RULE = (
    "Chosen by rule, from test, or val where there is no test: of two patients the confirmed image with the most findings"
    " stated, and the control with the highest probability; of equals the first by name."
)


def attention_pictures(folder: Path, run: Run, *, device: str = "auto") -> tuple[Picture, ...]:
    """Overlays of a few images of a finished run; none where its network or their files are gone."""
    rows = chosen_rows(run)
    paths = [run.records.paths[row] for row in rows]
    if not (folder / MODEL_FILE).exists() or not all(path.exists() for path in paths):
        return ()
    method = str(run.settings.get("attention", Settings().method))
    network = Explainer(folder, Settings(method), device=device)
    marks = Marks(run.records.finding_keys)
    found = []
    for number, (row, shown) in enumerate(zip(rows, show([network], paths, marks), strict=True), 1):
        if not isinstance(shown, Unreadable):
            title = f"Attention: {run.records.images[row]}"
            found.append(
                Picture(
                    f"attention-{number}",
                    "attention",
                    title,
                    _words(run, row, method),
                    six_panels(shown, widest=WIDEST),
                )
            )
    return tuple(found)


def chosen_rows(run: Run) -> list[int]:
    """Rows of the records that are shown, by ``RULE``."""
    name = next((name for name in ("test", "val") if name in run.sets), None)
    if name is None:
        return []
    records, probability = run.sets[name].records, run.sets[name].probability
    stated = (records.finding_cells == 1).sum(axis=1)
    confirmed = sorted(
        np.flatnonzero(records.covid19 == 1), key=lambda row: (-stated[row], records.images[row])
    )
    controls = sorted(
        np.flatnonzero(records.covid19 == 0), key=lambda row: (-probability[row], records.images[row])
    )
    patients: dict[str, int] = {}
    for row in confirmed:
        patients.setdefault(records.patient_ids[row], int(row))
    rows = [*list(patients.values())[:_CONFIRMED], *map(int, controls[:1])]
    places = {image: place for place, image in enumerate(run.records.images)}
    return [places[records.images[row]] for row in rows]


def _words(run: Run, row: int, method: str) -> str:
    records = run.records
    kind = "Confirmed" if records.covid19[row] == 1 else "Control"
    keys = [
        key for key, cell in zip(records.finding_keys, records.finding_cells[row], strict=True) if cell == 1
    ]
    stated = f"stated: {', '.join(finding_codes(keys))}" if keys else "no finding stated"
    return f"{kind}, {stated}. Method: {method}; the number above a panel is the probability. A map shows where, not that it is right."
