"""Suspects: records where text, people and the image model disagree, the worst first."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from annotate.columns import Places
from annotate.events import log
from annotate.groups import read_pairs
from annotate.load_predictions import load_predictions
from annotate.pages.common import get_store, record_url, require
from annotate.pages.look_again import FRESH_SECONDS, look_again
from annotate.people import require_role, role_of
from annotate.store import Store
from annotate.store_tables import PREDICTION
from annotate.suspect_signals import KINDS
from annotate.suspects import Ranking, Suspect, apply_suspect_order, rank_suspects
from annotate.tables import read_table
from nlp.errors import ToolkitError
from nlp.markdown import literal

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
        predicted = connection.scalar(sa.select(sa.func.count()).select_from(PREDICTION)) or 0
    pairs = _files(store, name, predicted, adjudicator=adjudicator)
    looked, found = _ranked(store, store.url, predicted, tuple(pairs), None if adjudicator else name)
    look_again(looked, _ranked.clear)
    places = _filtered(found, adjudicator=adjudicator)
    if not len(found):
        st.success("No label is suspect: nothing disagrees.", icon=":material/check:")
        return
    with store.read() as connection:
        shown = found.told(connection, places[:_MOST_SHOWN])
    _table(shown, len(places), adjudicator=adjudicator)
    if adjudicator:
        _in_this_order(store, name, len(found))


@st.cache_resource(ttl=FRESH_SECONDS, max_entries=4, show_spinner="Comparing text, people and image model")
def _ranked(
    _store: Store,
    url: str,
    predicted: int,
    pairs: tuple[tuple[str, str], ...],
    annotator: str | None,
) -> tuple[float, Ranking]:
    with _store.read() as connection:
        return time.time(), rank_suspects(connection, _store.findings, pairs=pairs, annotator=annotator)


def _filtered(found: Ranking, *, adjudicator: bool) -> Places:
    """Places in the ranking of those that were asked for."""
    names = found.names
    here = [key for key in names if (found.signals.key == key).any()]
    kinds = [kind for kind in KINDS if (found.signals.kind == kind).any()]
    first, second, third = st.columns([1, 1, 1], vertical_alignment="bottom")
    key = first.selectbox("Finding", [None, *here], format_func=lambda key: names.get(key, "every finding"))
    kind = second.selectbox(
        "Reason", [None, *kinds], format_func=lambda kind: KINDS.get(kind, "every reason")
    )
    undecided = third.checkbox(f"Not decided {'yet' if adjudicator else 'by you'}")
    shown = found.places(kind=kind, key=key, undecided=undecided)
    blind = "" if adjudicator else "; what other people say is left out, so that readings stay independent"
    st.caption(f"{len(shown):,} of {len(found):,} suspects{blind}")
    return shown


def _table(shown: list[Suspect], count: int, *, adjudicator: bool) -> None:
    rows = [
        {
            "open": record_url(each.record_id),
            "score": each.score,
            "reason": each.reason,
            "kinds": ", ".join(dict.fromkeys(KINDS[signal.kind] for signal in each.signals)),
            "decided": "yes" if each.judged else "no",
            "image": each.image,
        }
        for each in shown
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
        row_height=66,  # above 4rem text is wrapped, so that reasons can be read
        alt="Suspect records",
    )
    if count > len(shown):
        st.caption(f"The {_MOST_SHOWN:,} worst are shown; narrow them by finding or reason.")


def _in_this_order(store: Store, name: str, count: int) -> None:
    words = "“Suspects first” in Annotate then gives records in this order."
    if st.button("Use as the order of work", icon=":material/sort:", help=words):
        try:
            with store.write() as connection:
                apply_suspect_order(connection, store.findings, actor=name, now=time.time())
        except ToolkitError as error:
            st.error(literal(str(error)))
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
        st.error(literal(str(error)))
        return []


def _take(store: Store, name: str, sent: Any) -> None:
    try:
        table = _with_file(sent, read_table)
        with store.write() as connection:
            require_role(connection, name, "adjudicator")
            count = load_predictions(connection, table, store.findings, run=sent.name)
            apply_suspect_order(connection, store.findings, actor=name, now=time.time())
            log(
                connection,
                name,
                "predictions.load",
                now=time.time(),
                new={"records": count, "run": sent.name},
            )
    except ToolkitError as error:
        st.error(literal(str(error)))
        return
    _ranked.clear()
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
