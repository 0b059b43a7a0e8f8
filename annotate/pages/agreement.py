"""Agreement: how far annotators agree on each finding, between whom, and the records behind a number."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from annotate.adjudication_html import names
from annotate.agreement import PEOPLE, TEXT, Report, report_of
from annotate.agreement_matrix import kappa_colours, kappa_matrix, pair_at, pair_names
from annotate.agreement_readings import Readings, differing, read_readings
from annotate.agreement_report import MEASURES, PREVALENCE, explanations, named
from annotate.agreement_statistics import Agreement
from annotate.pages.common import base_path, get_store, record_url, require
from annotate.pages.look_again import FRESH_SECONDS, look_again
from annotate.people import role_of
from annotate.store import Store
from annotate.store_tables import RECORD
from nlp.lexicon import load_lexicon

_MOST_LISTED = 500
_FINDING, _PAIR, _CELL = "agreement_finding", "agreement_pair", "agreement_cell"
_EVERYONE = ("", "")


def page() -> None:
    """Draw the page."""
    store, name = get_store(), require("annotator")
    st.title("Agreement", anchor=False)
    with store.read() as connection:
        role = role_of(connection, name)
    looked, readings, report = _measured(store, store.identity())
    look_again(looked, _measured.clear)
    called = {each.key: each.name for each in names(report.keys, load_lexicon())}
    if not report.annotators:
        st.info("Nobody has confirmed a record yet: there is nothing to compare.")
        return
    st.caption("Measured before adjudication, from readings that were made independently of each other.")
    st.subheader("Annotators with each other", anchor=False)
    if len(report.annotators) > 1 and any(row.of == PEOPLE and row.agreement.records for row in report.rows):
        _table(report, PEOPLE, called)
    else:
        st.info("No record has been read by two annotators: give records an overlap of 2.")
    st.subheader("The text with annotators", anchor=False)
    _table(report, TEXT, called)
    _meanings(report)
    st.subheader("Who agrees with whom", anchor=False)
    _matrix(report, called)
    if role == "adjudicator":
        _records(store, readings, report)
    else:
        st.caption(
            "The records behind a number are shown to adjudicators, so that readings stay independent."
        )


@st.cache_resource(ttl=FRESH_SECONDS, max_entries=2, show_spinner="Measuring agreement")
def _measured(_store: Store, identity: str) -> tuple[float, Readings, Report]:
    now = time.time()
    with _store.read() as connection:
        readings = read_readings(connection, _store.findings)
    return now, readings, report_of(readings)


def _table(report: Report, of: str, called: Mapping[str, str]) -> None:
    rows = [_row(row.agreement, called[row.key]) for row in report.rows if row.of == of]
    count = st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "Records": count(width="small", help="Records with two readings or more."),
        "Patients": count(width="small"),
        "Differ": count(width="small", help="Records on which not all say the same."),
        "Prevalence": count(format="percent", width="small", help=PREVALENCE),
    }
    columns |= {title: st.column_config.TextColumn(help=said) for title, said in MEASURES.values()}
    st.dataframe(rows, hide_index=True, column_config=columns)


def _row(agreement: Agreement, name: str) -> dict[str, object]:
    return {
        "Finding": name,
        "Records": agreement.records,
        "Patients": agreement.patients,
        "Differ": agreement.disagreed,
        "Prevalence": None if agreement.prevalence is None else round(agreement.prevalence, 3),
        **{MEASURES[key][0]: str(measure) for key, measure in named(agreement)},
    }


def _meanings(report: Report) -> None:
    for column, (title, said) in zip(st.columns(len(MEASURES)), MEASURES.values(), strict=True):
        column.caption(f"**{title}**  \n{said}")
    with st.expander("How to read these numbers"):
        for sentence in list(explanations(report))[len(MEASURES) :]:
            st.write(sentence)


def _matrix(report: Report, called: Mapping[str, str]) -> None:
    st.selectbox("Finding", report.keys, format_func=called.__getitem__, key=_FINDING, width=340)
    key = st.session_state[_FINDING]
    colours = kappa_colours(report, key)
    st.dataframe(
        kappa_matrix(report, key).style.apply(lambda _: colours, axis=None),
        key=_CELL,
        on_select=lambda: _choose(report),
        selection_mode="single-cell",
        alt=f"Cohen's κ of every two sources on {called[key]}",
    )
    st.caption(
        "Cohen's κ and the number of records that both read: blue is agreement beyond chance, orange less than"
        " chance, grey undefined. Click a cell for the records on which the two differ."
    )


def _choose(report: Report) -> None:
    """A click on a cell chooses its pair below."""
    cells: Sequence[tuple[int, str]] = st.session_state[_CELL]["selection"]["cells"]
    if pair := pair_at(report, cells):
        st.session_state[_PAIR] = pair


def _records(store: Store, readings: Readings, report: Report) -> None:
    pairs = {_EVERYONE: "any two annotators", **pair_names(report)}
    st.selectbox(
        "Records that differ between", list(pairs), format_func=pairs.__getitem__, key=_PAIR, width=340
    )
    key, pair = st.session_state[_FINDING], st.session_state[_PAIR]
    ids = differing(readings, key, readings.annotators if pair == _EVERYONE else pair)
    if not ids:
        st.success("They do not differ on any record.", icon=":material/check:")
        return
    st.dataframe(
        _listed(store, ids[:_MOST_LISTED]),
        hide_index=True,
        column_config={
            "Annotate": st.column_config.LinkColumn(display_text="Annotate", width="small"),
            "Adjudicate": st.column_config.LinkColumn(display_text="Adjudicate", width="small"),
        },
    )
    more = f"; the first {_MOST_LISTED} are listed" if len(ids) > _MOST_LISTED else ""
    st.caption(f"{len(ids):,} records{more}.")


def _listed(store: Store, ids: Sequence[int]) -> pd.DataFrame:
    columns = RECORD.c["id", "image", "patient_id"]
    with store.read() as connection:
        rows = connection.execute(sa.select(*columns).where(RECORD.c.id.in_(ids)).order_by(RECORD.c.id))
        table = pd.DataFrame([tuple(row) for row in rows], columns=["Record", "Image", "Patient"])
    links = [record_url(number) for number in table["Record"]]
    settle = [link.replace(f"{base_path()}/annotate?", f"{base_path()}/adjudicate?", 1) for link in links]
    return table.assign(Annotate=links, Adjudicate=settle)
