"""Many pictures on the Diagnose page: progress, a table, its download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from nlp.schema import COVID
from train.run_folder import CLASSES, PREDICTIONS

if TYPE_CHECKING:
    from train.diagnosis import Diagnosis
    from train.image_paths import Chosen

_TABLES = (PREDICTIONS, CLASSES)
BATCH = "diagnose_batch"
_END = "_probability"
_HEIGHT = 8 * 35 + 2
"""Pixels: the head and seven whole rows."""


def batch(network: Diagnosis, chosen: Sequence[Chosen], folder: Path, key: tuple[str, ...]) -> int:
    """The table of all pictures; gives the number of the chosen one."""
    kept = st.session_state.get(BATCH)
    if kept is None or kept[0] != key:
        kept = st.session_state[BATCH] = (key, *_predicted(network, chosen, folder))
    _, rows, tables = kept
    st.caption("Click at the left of a row to see its maps.")
    digits = st.column_config.NumberColumn(format="%.3f")
    picked: Any = st.dataframe(
        rows,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=_HEIGHT,
        column_config={name: digits for name, cell in rows[0].items() if not isinstance(cell, str)},
        key="diagnose_rows",
    )
    for label, name, table in zip(
        ("Download the table", "Download the classes"), _TABLES, tables, strict=False
    ):
        st.download_button(label, table, name, "text/csv", icon=":material/download:")
    found = picked.selection.rows
    return int(found[0]) if found and found[0] < len(chosen) else 0


def _predicted(
    network: Diagnosis, chosen: Sequence[Chosen], folder: Path
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Rows to show; predictions.csv and, of named classes, diagnosis.csv; without the names of folders here."""
    from train.class_predictions import class_columns, class_rows
    from train.ensemble import Ensemble
    from train.predictions import columns, csv_lines, rows

    networks = Ensemble([network.network])
    cells, classes = [list(columns(networks.finding_keys))], [list(class_columns(networks.class_names))]
    bar = st.progress(0.0, "Reading the pictures")
    for found in networks.predict(chosen):
        cells += rows(found.predictions)
        classes += class_rows(found.classes) if found.classes else []
        done = len(cells) - 1
        bar.progress(done / len(chosen), f"{done} of {len(chosen)} pictures")
    bar.empty()
    tables = [cells, classes] if networks.class_names else [cells]
    for table in tables:
        for each, row in zip(chosen, table[1:], strict=True):
            name = shown_name(each, folder)
            row[0], row[-1] = name, row[-1].replace(each.path.as_posix(), name)
    return _shown(tables, network.explainer.outputs), [csv_lines(table) for table in tables]


def _shown(tables: Sequence[Sequence[Sequence[str]]], learnt: Sequence[str]) -> list[dict[str, Any]]:
    """What is shown of each row: the call, the class where they are named, learnt probabilities, the warning."""
    by_name = [[dict(zip(table[0], row, strict=True)) for row in table[1:]] for table in tables]
    return [_row(rows[0], rows[1] if len(rows) > 1 else {}, learnt) for rows in zip(*by_name, strict=True)]


def _row(found: Mapping[str, str], classes: Mapping[str, str], learnt: Sequence[str]) -> dict[str, Any]:
    from train.overlays import output_name

    called = {"1": "yes", "0": "no"}.get(found[f"{COVID}_prediction"], "")
    named = {"class": classes["prediction"], "confidence": _number(classes["confidence"])} if classes else {}
    numbers = {output_name(key): _number(found[key + _END]) for key in learnt if key + _END in found}
    return {"image": found["image"], "called": called, **named, **numbers, "warning": found["warning"]}


def _number(cell: str) -> float | None:
    return round(float(cell), 3) if cell else None


def shown_name(chosen: Chosen, folder: Path) -> str:
    """The name of an upload as it was given; what stands before is a folder of ours."""
    return "/".join(chosen.path.relative_to(folder).parts[1:])
