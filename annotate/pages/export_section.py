"""The lower half of "Split and export": files out of the database, or why they are refused."""

from __future__ import annotations

import time

import streamlit as st

from annotate.export import KIND_NAMES, export_zip
from annotate.export_data import Data
from annotate.export_files import Form
from nlp.entries import Lexicon
from nlp.errors import ToolkitError

_SHOWN_UNSETTLED = 200


def export_section(data: Data, lexicon: Lexicon) -> None:
    """Offer the files, or say why they are refused."""
    kind = st.radio("Format", list(KIND_NAMES), format_func=KIND_NAMES.__getitem__, horizontal=True)
    left, right = st.columns(2)
    only = left.checkbox("Only records that people reviewed")
    safe = right.checkbox(
        "Safe to open in a spreadsheet",
        disabled=kind == "label-studio",
        help="An apostrophe goes before text that a spreadsheet would run as a formula; labels stay as they are.",
    )
    _say_unsettled(data)
    try:
        fit = data.checked(reviewed_only=only)
    except ToolkitError as error:
        refusal("The export is refused.", error)
        return
    form = Form(kind, spreadsheet=safe and kind != "label-studio")
    st.download_button(
        f"Download {len(fit.table):,} records",
        lambda: export_zip(fit, lexicon, form, now=time.time()),
        file_name=f"lesion-labels-{kind}.zip",
        mime="application/zip",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )
    st.caption("One archive with the labels, the mentions, and a manifest that says what they were made of.")


def _say_unsettled(data: Data) -> None:
    if not data.unsettled:
        return
    cells = [(image, finding) for image, findings in data.unsettled.items() for finding in findings]
    st.warning(
        f"{len(cells):,} cells of {len(data.unsettled):,} records are not settled: annotators disagree on them."
        " They are exported as -1, which training leaves out; the Adjudicate page settles them.",
        icon=":material/balance:",
    )
    with st.expander("Which cells"):
        rows = [{"image": image, "finding": finding} for image, finding in cells[:_SHOWN_UNSETTLED]]
        st.dataframe(rows, hide_index=True)


def refusal(heading: str, error: ToolkitError) -> None:
    """The message as plain text: patient ids come from data, and Markdown would draw what they hold."""
    st.error(heading, icon=":material/block:")
    st.code(str(error), language=None, wrap_lines=True)
