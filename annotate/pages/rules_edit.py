"""The editing half of the Rules page: proposals, the table of one file, versions and files."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from annotate.lexicon_edit import (
    TERMS,
    Proposal,
    Row,
    as_term,
    decide_proposals,
    open_proposals,
    replaced,
    rows_of,
    text_of,
    with_term,
)
from annotate.lexicon_versions import Version, own_version
from annotate.lexicon_versions import versions as all_versions
from annotate.pages.common import record_url
from annotate.pages.rules_state import Draft
from annotate.store import Store
from nlp.errors import StoreError
from nlp.lexicon import FILES, load_lexicon
from nlp.markdown import literal

_CHOICES = ("finding", "kind", "fuzzy", "assertion", "chest", "direction", "before", "reports")
"""Columns in which a row takes one of a few values, those that stand in the file."""
_TITLES = {
    TERMS: "Terms of findings",
    "cues.csv": "Cues (negation, uncertainty …)",
    "words.csv": "Word classes",
}
_MOST_BYTES = 5_000_000


def proposals(store: Store, name: str, draft: Draft, *, adjudicator: bool) -> None:
    """Words that annotators marked, and a form to add a term of one's own."""
    with store.read() as connection:
        # what others marked in a record is theirs until all have read it
        offered = [
            each
            for each in open_proposals(connection)
            if each.id not in draft.taken and (adjudicator or each.annotator == name)
        ]
    title = f"Add a term · {len(offered)} offered by annotators" if offered else "Add a term"
    with st.expander(title, expanded=bool(offered), icon=":material/add:"):
        _term_form(draft)
        for each in offered:
            _proposal(store, name, draft, each, adjudicator=adjudicator)


def table(draft: Draft, active: Version) -> None:
    """The rows of one file, editable; the first view is the terms of a finding."""
    left, right = st.columns([1, 2])
    name = left.selectbox("File", [TERMS, *(each for each in FILES if each != TERMS)], format_func=_title)
    finding = ""
    if name == TERMS:
        names = {each.key: each.name for each in load_lexicon().findings}
        chosen = right.segmented_control(
            "Finding", [*names], format_func=names.__getitem__, default=next(iter(names)), key="rules_finding"
        )
        finding = chosen or ""
    view = (name, finding, draft.round)
    if draft.view != view:
        draft.view, draft.before = view, draft.files[name]
    rows = rows_of(draft.before)
    shown = [place for place, row in enumerate(rows) if not finding or row["finding"] == finding]
    edited = st.data_editor(
        pd.DataFrame([{"line": place + 2, **rows[place]} for place in shown], columns=["line", *FILES[name]]),
        key=f"rules_table_{name}_{finding}_{draft.round}",
        num_rows="dynamic",
        hide_index=True,
        height=320,
        placeholder="",
        # the finding of a table of its own goes without saying
        column_order=["line", *(column for column in FILES[name] if not finding or column != "finding")],
        column_config=_columns(name, rows, finding),
        alt=f"Rows of {name}",
    )
    done = replaced(rows, shown, [_edited(row, finding) for row in edited.to_dict("records")])
    draft.files[name] = text_of(name, done, active.files[name])
    st.caption(
        "Words in any case; `a|b` either; `@class` a word class; `slot?` may be left out; `<3>` up to three words "
        "between. A row is added in the last, empty line; rows are removed by their box at the left."
    )


def versions(store: Store, active: Version, draft: Draft) -> None:
    """Earlier versions to go back to, and files from elsewhere."""
    with store.read() as connection:
        known = all_versions(connection)
    for each in known:
        when = "" if each.created is None else f", {datetime.fromtimestamp(each.created):%Y-%m-%d %H:%M}"
        label, button = st.columns([3, 1], vertical_alignment="center")
        mark = " · **active**" if each.version == active.version else ""
        label.markdown(f"{each.version} by {literal(each.author)}{when}{mark}")
        if button.button(
            "Take", key=f"rules_take_{each.version}", help="into the tables, to look at and to save"
        ):
            draft.put(each.files)
            draft.preview, draft.problems = None, ()
            st.rerun()
    own = own_version()
    if own.version != active.version and draft.files != own.files:
        st.caption("The toolkit's own lexicon is the one by “the toolkit”.")
    sent = st.file_uploader(
        "Files of your own", type="csv", accept_multiple_files=True, key=f"rules_files_{draft.round}"
    )
    if sent and st.button("Take these files"):
        _take_files(draft, sent)


def _title(name: str) -> str:
    return f"{_TITLES[name]} · {name}" if name in _TITLES else name


def _columns(name: str, rows: list[dict[str, str]], finding: str) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "line": st.column_config.NumberColumn(
            "line", disabled=True, width="small", help="as messages name it"
        ),
        "note": st.column_config.TextColumn("note", width="small"),
    }
    for column in FILES[name]:
        if column in _CHOICES:
            options = sorted({row[column] for row in rows})
            if column == "finding" and finding:
                options = [finding]
            columns[column] = st.column_config.SelectboxColumn(column, options=options, width="small")
    first = next(each for each in FILES[name] if each not in _CHOICES)
    return columns | {first: st.column_config.TextColumn(first, width="large")}


def _edited(row: dict[Any, Any], finding: str) -> tuple[int | None, Row]:
    """A row of the editor: its place, None where it was added, and its cells, blank where nothing was typed."""
    line = row.pop("line")
    cells = {str(column): "" if pd.isna(cell) else str(cell) for column, cell in row.items()}
    if pd.isna(line):
        if finding and any(cells.values()):
            cells["finding"] = cells["finding"] or finding
        return None, cells
    return int(line) - 2, cells


def _term_form(draft: Draft) -> None:
    findings = {each.key: each.name for each in load_lexicon().findings}
    with st.form("rules_term", border=False):
        which, words, press = st.columns([1, 2, 1], vertical_alignment="bottom")
        finding = which.selectbox("Finding", [*findings], format_func=findings.__getitem__)
        phrase = words.text_input("Words that name it", max_chars=200, placeholder="reversed halo")
        sent = press.form_submit_button("Add the term", icon=":material/add:", width="stretch")
    if sent and phrase.strip():
        draft.put({TERMS: with_term(draft.files[TERMS], finding, phrase.strip())})
        st.rerun()


def _proposal(store: Store, name: str, draft: Draft, each: Proposal, *, adjudicator: bool) -> None:
    words, add, drop = st.columns([3, 1, 1], vertical_alignment="center")
    names = {finding.key: finding.name for finding in load_lexicon().findings}
    shown = (
        f"“{literal(each.phrase)}” for {names.get(each.finding, each.finding)}, by {literal(each.annotator)}"
    )
    words.markdown(f"{shown} · [record {each.record_id}]({record_url(each.record_id)})")
    term = as_term(each.phrase)
    if add.button("Add as a term", key=f"rules_add_{each.id}", disabled=not term, width="stretch"):
        draft.taken.add(each.id)
        draft.put(
            {TERMS: with_term(draft.files[TERMS], each.finding, term, note=f"offered by {each.annotator}")}
        )
        st.rerun()
    if drop.button("Decline", key=f"rules_decline_{each.id}", disabled=not adjudicator, width="stretch"):
        try:
            with store.write() as connection:
                decide_proposals(connection, name, [each.id], "declined", now=time.time())
        except StoreError as error:
            st.error(literal(str(error)))
            return
        st.rerun()


def _take_files(draft: Draft, sent: list[Any]) -> None:
    problems = [f"{file.name}: not a file of the lexicon" for file in sent if file.name not in FILES]
    taken = {}
    for file in sent:
        data = file.getvalue()
        try:
            taken[file.name] = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            problems.append(f"{file.name}: the file is not UTF-8; save it as 'CSV UTF-8'")
        if len(data) > _MOST_BYTES:
            problems.append(f"{file.name}: more than {_MOST_BYTES:,} bytes")
    if problems:
        st.error("\n\n".join(map(literal, problems)))
        return
    draft.put(taken)
    st.rerun()
