"""Progress: done, left, how fast, and when it may be finished; for adjudicators also people and overlap."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from annotate.adjudication_html import names
from annotate.pages.common import get_store, require
from annotate.people import User, role_of, set_role, users
from annotate.progress_report import AnnotatorProgress, Progress, progress_report
from annotate.store import Store
from annotate.store_tables import ROLES
from annotate.team import change_overlap, overlap_of
from nlp.errors import StoreError
from nlp.lexicon import load_lexicon
from nlp.markdown import literal

_FRESH_SECONDS = 20
_MOST_OVERLAP = 20
_MOST_DAYS = 60


def page() -> None:
    """Draw the page."""
    store, name = get_store(), require("annotator")
    st.title("Progress", anchor=False)
    progress = _report(store, store.identity())
    with store.read() as connection:
        head = role_of(connection, name) == "adjudicator"
    _totals(progress)
    _annotators([each for each in progress.annotators if head or each.name == name], head)
    _days(progress, None if head else name)
    _findings(progress)
    if head:
        _team(store, name)


@st.cache_data(ttl=_FRESH_SECONDS, max_entries=4, show_spinner="Counting")
def _report(_store: Store, identity: str) -> Progress:
    with _store.read() as connection:
        return progress_report(connection, _store.findings, now=time.time())


def _totals(progress: Progress) -> None:
    done = progress.readings - progress.left
    numbers = {
        "Records done": (progress.complete, progress.records),
        "Readings done": (done, progress.readings),
        "Readings left": (progress.left, None),
        "To adjudicate": (progress.to_settle, None),
        "Adjudicated": (progress.settled, None),
    }
    for column, (title, (number, whole)) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(title, f"{number:,}" if whole is None else f"{number:,} of {whole:,}", border=True)
    share = done / progress.readings if progress.readings else 0.0
    st.progress(share, f"{share:.1%} of all readings are done.")
    if progress.estimate is not None:
        st.write(f"**Estimated finish:** {progress.estimate}.")
    elif progress.left:
        st.write("**Estimated finish:** not enough yet; it takes 20 decisions to tell.")


def _annotators(annotators: Sequence[AnnotatorProgress], head: bool) -> None:
    st.subheader("Annotators" if head else "Your work", anchor=False)
    if not annotators:
        st.info("No decision has been made yet." if head else "You have not decided a record yet.")
        return
    number = st.column_config.NumberColumn
    columns = {
        "Records an hour": number(
            format="%.0f", help="While working: pauses over five minutes do not count."
        ),
        "Seconds a record": number(format="%.1f", help="Median from the record on screen to its key."),
        "Corrected": number(
            format="percent",
            help="Share of the records with a caption whose labels are not what the text says.",
        ),
        "Held": number(help="Records lent out now."),
        "Expired": number(help="Lent out and not decided in time; they go back to the others by themselves."),
        "Last decision": st.column_config.DatetimeColumn(format="calendar"),
    }
    st.dataframe([_row(each) for each in annotators], hide_index=True, column_config=columns)


def _row(each: AnnotatorProgress) -> dict[str, object]:
    return {
        "Annotator": each.name,
        "Done": each.done,
        "Records an hour": each.per_hour,
        "Seconds a record": each.seconds,
        "Corrected": None if each.corrected is None else round(each.corrected, 3),
        "Skipped": each.skipped,
        "Undone": each.undone,
        "Flagged": each.flagged,
        "Held": each.held,
        "Expired": each.expired,
        "Last decision": None if each.last is None else datetime.fromtimestamp(each.last),
    }


def _days(progress: Progress, name: str | None) -> None:
    days = progress.days if name is None else progress.days[[each for each in progress.days if each == name]]
    if days.empty:
        return
    st.subheader("Records confirmed a day", anchor=False)
    whole = pd.date_range(days.index.min(), days.index.max(), freq="D")  # days without work show as such
    chart = days.set_axis(pd.DatetimeIndex(days.index), axis=0).reindex(whole, fill_value=0)
    chart = chart.set_axis(whole.strftime("%Y-%m-%d"), axis=0).iloc[-_MOST_DAYS:]  # a word is one bar wide
    st.bar_chart(
        chart,
        x_label="day",
        y_label="records",
        alt="Records confirmed on each day by each annotator",
        height=340,
    )


def _findings(progress: Progress) -> None:
    st.subheader("Readings of each finding", anchor=False)
    called = names([each.key for each in progress.findings], load_lexicon())
    rows = [
        {
            "Finding": name.name,
            "Present": each.present,
            "Absent": each.absent,
            "Uncertain": each.uncertain,
            "Not said": each.blank,
        }
        for name, each in zip(called, progress.findings, strict=True)
    ]
    st.dataframe(rows, hide_index=True)


def _team(store: Store, name: str) -> None:
    st.subheader("Team", anchor=False)
    with store.read() as connection:
        people, overlap = users(connection), overlap_of(connection)
    left, right = st.columns(2, gap="large")
    with left, st.form("overlap", border=True):
        chosen = st.number_input(
            "Annotators for each record",
            1,
            _MOST_OVERLAP,
            overlap,
            help="With 2 or more, records are read independently: nobody sees what another said.",
        )
        if st.form_submit_button("Use this number"):
            _change_overlap(store, name, int(chosen))
    with right, st.form("role", border=True):
        _role_form(store, name, people)


def _role_form(store: Store, name: str, people: Sequence[User]) -> None:
    roles = {user.name: user.role for user in people}
    who = st.selectbox("Person", list(roles), format_func=lambda each: f"{each} ({roles[each]})")
    role = st.radio("Role", ROLES, horizontal=True)
    if st.form_submit_button("Give this role"):
        try:
            with store.write() as connection:
                set_role(connection, actor=name, name=who, role=role, now=time.time())
        except StoreError as error:
            st.error(literal(str(error)))
        else:
            st.toast("The role was changed.")
            st.rerun()


def _change_overlap(store: Store, name: str, overlap: int) -> None:
    try:
        with store.write() as connection:
            change_overlap(connection, name, overlap, now=time.time())
    except StoreError as error:
        st.error(literal(str(error)))
        return
    _report.clear()
    st.rerun()
