"""The second half of the Rules page: what an edit would change, whom it would contradict, and saving it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from annotate.lexicon_edit import decide_proposals
from annotate.lexicon_versions import active_version, load_files
from annotate.pages.common import record_url
from annotate.pages.rules_state import Draft
from annotate.relabel import Relabelled, relabel
from annotate.rule_changes import Change, Preview
from annotate.rule_html import CELL_WORDS, cells_text, people_text, style
from annotate.rule_preview import Previewer
from annotate.store import Store
from nlp.errors import ToolkitError
from nlp.lexicon import load_lexicon
from nlp.markdown import literal
from nlp.schema import COVID

_PER_PAGE = 10
_MOST_PROBLEMS = 50


def told(draft: Draft) -> None:
    """Say once what the last save did."""
    if draft.told:
        st.success(draft.told, icon=":material/check:")
        draft.told = ""


def mistakes(problems: Sequence[str]) -> None:
    """The checker's words, one line each."""
    st.error(f"Mistakes in the lexicon: {len(problems):,}; nothing was read.", icon=":material/error:")
    st.dataframe(
        pd.DataFrame({"file:line:column: what is wrong": problems[:_MOST_PROBLEMS]}), hide_index=True
    )


def result(store: Store, previewer: Previewer, draft: Draft, name: str, *, adjudicator: bool) -> None:
    """The preview of a draft."""
    whole = draft.preview
    if whole is None:
        return
    covid = sum(1 for change in whole.relabelled if COVID in change.cells)
    shown = whole if draft.covid else whole.keeping_covid()
    st.subheader("What changes", anchor=False)
    if not draft.is_previewed:
        st.warning("The tables were edited since: see what changes once more.", icon=":material/update:")
    _numbers(shown)
    if covid:
        draft.covid = st.checkbox(
            f"Read COVID flags anew as well ({covid:,} records would change theirs)",
            value=draft.covid,
            help="A flag may have come from a column of the input table rather than the text; "
            "the database does not know which, so flags stay unless you say otherwise.",
            on_change=_turn_covid,
            args=(draft,),
        )
    _save(store, previewer, draft, shown, name, adjudicator=adjudicator)
    names = {finding.key: finding.name for finding in load_lexicon().findings} | {COVID: "COVID-19"}
    if adjudicator:
        _contradictions(shown, names)
    elif shown.contradictions:
        st.info("Which people are contradicted is shown to adjudicators, so that readings stay independent.")
    _counts(shown, names)
    _list(previewer, draft, shown, names, adjudicator=adjudicator)


def _turn_covid(draft: Draft) -> None:
    draft.covid, draft.page = not draft.covid, 1


def _numbers(shown: Preview) -> None:
    cells = sum(len(change.cells) for change in shown.relabelled)
    agreed = sum(1 for change in shown.changes if change.agrees)
    numbers = {
        "Records that change": len(shown.relabelled),
        "Cells that change": cells,
        "People contradicted": len(shown.contradictions),
        "People no longer contradicted": agreed,
    }
    for column, (title, number) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(title, f"{number:,}", border=True)
    kept = f" {shown.unread:,} records keep labels that no lexicon made." if shown.unread else ""
    st.caption(
        f"Version {shown.version}. {shown.read:,} of {shown.captions:,} distinct captions could change and were "
        f"read in {shown.seconds:.1f} s; the others hold none of the words.{kept}"
    )


def _contradictions(shown: Preview, names: Mapping[str, str]) -> None:
    found = shown.contradictions
    if not found:
        return
    st.subheader("Confirmed by people, and the text would say otherwise", anchor=False)
    st.write("Their labels stay. Look whether the edit is wrong, or whether they are.")
    rows = [
        {"record": record_url(each.record_id), "image": each.image, "what": people_text(each, names)}
        for each in found
    ]
    _table(rows)


def _table(rows: list[dict[str, str]]) -> None:
    link = st.column_config.LinkColumn("open", display_text="open", width="small")
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"record": link})


def _counts(shown: Preview, names: Mapping[str, str]) -> None:
    rows = [
        {
            "finding": names.get(key, key),
            "change": f"{CELL_WORDS[before]} → {CELL_WORDS[after]}",
            "records": number,
        }
        for key, cells in shown.counts().items()
        for (before, after), number in cells.most_common()
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="content")
    else:
        st.info("No label of a record that nobody has confirmed would change.", icon=":material/check:")


def _list(
    previewer: Previewer, draft: Draft, shown: Preview, names: Mapping[str, str], *, adjudicator: bool
) -> None:
    """The changed records with their words, some at a time; adjudicators see first whom the text contradicts."""
    changes = sorted(
        shown.changes, key=lambda change: (adjudicator and not change.contradicts, change.record_id)
    )
    if not changes:
        return
    st.subheader("The words behind it", anchor=False)
    pages = math.ceil(len(changes) / _PER_PAGE)
    if pages > 1:
        draft.page = st.number_input(f"Page, of {pages:,}", 1, pages, min(draft.page, pages), width=160)
    some = changes[(draft.page - 1) * _PER_PAGE : draft.page * _PER_PAGE]
    evidence = previewer.evidence(some, draft.previewed)
    st.html(style(load_lexicon()))
    for change in some:
        _change(change, evidence.get(change.record_id, ""), names)


def _change(change: Change, evidence: str, names: Mapping[str, str]) -> None:
    with st.container(border=True):
        state = " · confirmed: stays" if change.confirmed else ""
        link = f"[{literal(change.image)}]({record_url(change.record_id)})"
        st.markdown(f"{link}{state} · {cells_text(change, names)}")
        st.html(evidence)


def _save(
    store: Store, previewer: Previewer, draft: Draft, shown: Preview, name: str, *, adjudicator: bool
) -> None:
    if not adjudicator:
        st.info("Saving needs the role adjudicator: download the files and show them to one.")
        return
    number = len(shown.relabelled)
    label = f"Save as version {shown.version} and re-label {number:,} record{'s' if number != 1 else ''}"
    if not st.button(label, disabled=not draft.is_previewed, icon=":material/save:"):
        return
    words = "Reading every record that no person has confirmed"
    bar = st.progress(0.0, words)

    def advance(share: float) -> None:
        bar.progress(share, words)

    try:
        with previewer.lock:
            reader = previewer.reader(load_files(draft.files, store.findings)).reader
            done = relabel(
                store,
                draft.files,
                name,
                reader=reader,
                base=draft.base,
                covid=draft.covid,
                now=time.time(),
                progress=advance,
            )
        with store.write() as connection:
            decide_proposals(connection, name, sorted(draft.taken), "taken", now=time.time())
    except ToolkitError as error:
        bar.empty()
        st.error(literal(str(error)))
        return
    with store.read() as connection:
        draft.restart(active_version(connection))
    draft.told = _done(done)
    st.rerun()


def _done(done: Relabelled) -> str:
    kept = f" {done.confirmed:,} confirmed by people were left alone." if done.confirmed else ""
    unread = f" {done.unread:,} keep labels that no lexicon made." if done.unread else ""
    return (
        f"Lexicon {done.version} is active. {done.relabelled:,} records got other labels or flags, "
        f"{done.mentions:,} other mentions, {done.unchanged:,} say the same.{kept}{unread}"
    )
