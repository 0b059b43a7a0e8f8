"""Many pictures on the Diagnose page: progress, a table, its download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from nlp.schema import COVID

if TYPE_CHECKING:
    from train.diagnosis import Diagnosis
    from train.image_paths import Chosen

_BATCH = "diagnose_batch"
_END = "_probability"


def batch(network: Diagnosis, chosen: Sequence[Chosen], folder: Path, key: tuple[str, ...]) -> int:
    """The table of all pictures; gives the number of the chosen one."""
    kept = st.session_state.get(_BATCH)
    if kept is None or kept[0] != key:
        kept = st.session_state[_BATCH] = (key, *_predicted(network, chosen, folder))
    _, rows, table = kept
    st.caption("Click at the left of a row to see its maps.")
    picked: Any = st.dataframe(
        rows, on_select="rerun", selection_mode="single-row", hide_index=True, height=260, key="diagnose_rows"
    )
    st.download_button("Download the table", table, "predictions.csv", "text/csv", icon=":material/download:")
    found = picked.selection.rows
    return int(found[0]) if found and found[0] < len(chosen) else 0


def _predicted(
    network: Diagnosis, chosen: Sequence[Chosen], folder: Path
) -> tuple[list[dict[str, Any]], bytes]:
    """Rows to show, and predictions.csv; without the names of folders here."""
    from train.ensemble import Ensemble
    from train.prediction_lines import header_and_rows
    from train.predictions import csv_lines

    cells: list[list[str]] = []
    bar = st.progress(0.0, "Reading the pictures")
    for found, _ in Ensemble([network.network]).predict(chosen):
        header, rows = header_and_rows(found)
        cells += [header] * (not cells) + rows
        done = len(cells) - 1
        bar.progress(done / len(chosen), f"{done} of {len(chosen)} pictures")
    bar.empty()
    names = [shown_name(each, folder) for each in chosen]
    for name, each, row in zip(names, chosen, cells[1:], strict=True):
        row[-1] = row[-1].replace(each.path.as_posix(), name)
        row[0] = name
    return [_row(cells[0], row) for row in cells[1:]], csv_lines(cells)


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """What is shown of a row: the call, the probabilities, the warning."""
    from train.overlays import output_name

    found = dict(zip(columns, cells, strict=True))
    called = {"1": "yes", "0": "no"}.get(found[f"{COVID}_prediction"], "")
    numbers = {
        output_name(name.removesuffix(_END)): _number(cell)
        for name, cell in found.items()
        if name.endswith(_END)
    }
    return {"image": found["image"], "called": called, **numbers, "warning": found["warning"]}


def _number(cell: str) -> float | None:
    return round(float(cell), 3) if cell else None


def shown_name(chosen: Chosen, folder: Path) -> str:
    """The name of an upload as it was given; what stands before is a folder of ours."""
    return "/".join(chosen.path.relative_to(folder).parts[1:])
