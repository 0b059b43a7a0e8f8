"""Suspects: records where text, people and the image model disagree, the worst first."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from annotate.events import log
from annotate.groups import read_pairs
from annotate.load_predictions import load_predictions
from annotate.pages.common import get_store, record_url, require
from annotate.people import require_role, role_of
from annotate.store import Store
from annotate.store_tables import EVENT, PREDICTION
from annotate.suspect_signals import KINDS
from annotate.suspects import Suspect, apply_suspect_order, finding_names, rank_suspects
from annotate.tables import read_table
from nlp.errors import ToolkitError

_MOST_SHOWN = 1_000
_WITH_TABLES = ["csv", "parquet"]


def page() -> None:
    """Draw the page."""
    store, name = get_store(), require("annotator")
    st.title("Suspects", anchor=False)
    st.write(
        "Records whose labels may be wrong, because text, people and the image model disagree. "
        "Open one, look at the image, and decide."
    )
    with store.read() as connection:
        adjudicator = role_of(connection, name) == "adjudicator"
        last = connection.scalar(sa.select(sa.func.max(EVENT.c.id))) or 0
        predicted = connection.scalar(sa.select(sa.func.count()).select_from(PREDICTION)) or 0
    pairs = _files(store, name, predicted, adjudicator=adjudicator)
    found = _ranked(store, store.url, last, predicted, tuple(pairs), None if adjudicator else name)
    shown = _filtered(found, store, adjudicator=adjudicator)
    if not found:
        st.success("No label is suspect: nothing disagrees.", icon=":material/check:")
        return
    _table(shown, adjudicator=adjudicator)
    _in_this_order(store, len(found))


@st.cache_data(max_entries=4, show_spinner="Comparing text, people and image model")
def _ranked(
    _store: Store,
    url: str,
    last_event: int,
    predicted: int,
    pairs: tuple[tuple[str, str], ...],
    annotator: str | None,
) -> list[Suspect]:
    with _store.read() as connection:
        return rank_suspects(connection, _store.findings, pairs=pairs, annotator=annotator)


def _filtered(found: list[Suspect], store: Store, *, adjudicator: bool) -> list[Suspect]:
    names = finding_names(store.findings)
    here = [key for key in names if any(each.concerns(key=key) for each in found)]
    kinds = [kind for kind in KINDS if any(each.concerns(kind=kind) for each in found)]
    first, second, third = st.columns([1, 1, 1], vertical_alignment="bottom")
    key = first.selectbox("Finding", [None, *here], format_func=lambda key: names.get(key, "every finding"))
    kind = second.selectbox(
        "Reason", [None, *kinds], format_func=lambda kind: KINDS.get(kind, "every reason")
    )
    undecided = third.checkbox(f"Only records that {'nobody' if adjudicator else 'you have not'} decided")
    shown = [each for each in found if _fits(each, key, kind) and not (undecided and each.judged)]
    blind = "" if adjudicator else "; what other people say is left out, so that readings stay independent"
    st.caption(f"{len(shown):,} of {len(found):,} suspects{blind}")
    return shown


def _fits(suspect: Suspect, key: str | None, kind: str | None) -> bool:
    """One and the same reason must be of the kind and about the finding."""
    return any(kind in (None, each.kind) and key in (None, each.key) for each in suspect.signals)


def _table(shown: list[Suspect], *, adjudicator: bool) -> None:
    rows = [
        {
            "open": record_url(each.record_id),
            "score": each.score,
            "reason": each.reason,
            "kinds": ", ".join(dict.fromkeys(KINDS[signal.kind] for signal in each.signals)),
            "decided": "yes" if each.judged else "no",
            "image": each.image,
        }
        for each in shown[:_MOST_SHOWN]
    ]
    columns: dict[str, Any] = {
        "open": st.column_config.LinkColumn("open", display_text="open", width="small"),
        "score": st.column_config.ProgressColumn(
            "score", min_value=0, max_value=1, format="%.2f", width="small"
        ),
        "reason": st.column_config.TextColumn("reason", width=720),
        "decided": st.column_config.TextColumn("decided" if adjudicator else "decided by you"),
    }
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=columns,
        column_order=("open", "score", "reason", "decided", "image"),
        height=560,
        row_height=58,  # two lines, so that reasons can be read
        alt="Suspect records",
    )
    if len(shown) > _MOST_SHOWN:
        st.caption(f"The {_MOST_SHOWN:,} worst are shown; narrow them by finding or reason.")


def _in_this_order(store: Store, count: int) -> None:
    words = "“Suspects first” in Annotate then gives records in this order."
    if st.button("Use as the order of work", icon=":material/sort:", help=words):
        try:
            with store.write() as connection:
                apply_suspect_order(connection, store.findings)
        except ToolkitError as error:
            st.error(str(error))
            return
        st.success(
            f"{count:,} suspects come first where the order of work is “suspects”.", icon=":material/check:"
        )


def _files(store: Store, name: str, predicted: int, *, adjudicator: bool) -> list[tuple[str, str]]:
    """Upload of predictions, which stay, and of nearly identical images, for this visit."""
    title = (
        f"Image model: predictions of {predicted:,} records"
        if predicted
        else "Add what an image model predicts"
    )
    with st.expander(title, icon=":material/upload:"):
        st.write(
            "predictions.csv of a run with folds: only rows of images that the model was not trained on count, "
            "those with a fold, or of val and test. Others agree with their label by rote and are refused."
        )
        if adjudicator:
            sent = st.file_uploader("predictions.csv", type=_WITH_TABLES, key="suspects_predictions")
            if sent and st.button("Take the predictions", type="primary"):
                _take(store, name, sent)
        else:
            st.info("Adding predictions needs the role adjudicator.")
        near = st.file_uploader(
            "near_duplicates.csv (image_a, image_b)", type=_WITH_TABLES, key="suspects_pairs"
        )
    try:
        return _with_file(near, read_pairs) if near else []
    except ToolkitError as error:
        st.error(str(error))
        return []


def _take(store: Store, name: str, sent: Any) -> None:
    try:
        table = _with_file(sent, read_table)
        with store.write() as connection:
            require_role(connection, name, "adjudicator")
            count = load_predictions(connection, table, store.findings, run=sent.name)
            apply_suspect_order(connection, store.findings)
            log(
                connection,
                name,
                "predictions.load",
                now=time.time(),
                new={"records": count, "run": sent.name},
            )
    except ToolkitError as error:
        st.error(str(error))
        return
    st.toast(f"Predictions of {count:,} records were taken.", icon=":material/check:")
    st.rerun()


def _with_file(sent: Any, read: Any) -> Any:
    """What a function reads from a file that was sent; the file's name stands in its messages."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(sent.name).name
        path.write_bytes(sent.getvalue())
        try:
            return read(path)
        except ToolkitError as error:
            raise type(error)(str(error).replace(f"{folder}/", "")) from None
