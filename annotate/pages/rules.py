"""Rules: edit the lexicon in place, see what changes, save it as a version that re-labels."""

from __future__ import annotations

import streamlit as st

from annotate.lexicon_edit import rows_of
from annotate.lexicon_versions import Version, active_version, as_zip
from annotate.pages import rules_edit, rules_result
from annotate.pages.common import get_store, require
from annotate.pages.rules_state import Draft, draft_of
from annotate.people import role_of
from annotate.rule_preview import Previewer, other_versions
from annotate.store import Store
from nlp.errors import LexiconError, StoreError
from nlp.markdown import literal


def page() -> None:
    """Draw the page."""
    store, name = get_store(), require("annotator")
    st.title("Rules", anchor=False)
    st.write(
        "What is recognised in captions stands in these tables. Change a row, see which labels would change, "
        "then save: a new version re-labels what no person has confirmed, and never touches what people said."
    )
    with store.read() as connection:
        active = active_version(connection)
        adjudicator = role_of(connection, name) == "adjudicator"
    draft = draft_of(st.session_state, active)
    rules_result.told(draft)
    _head(store, active, draft)
    rules_edit.proposals(store, name, draft, adjudicator=adjudicator)
    rules_edit.table(draft, active)
    previewer = _previewer(store, store.url)
    _actions(previewer, draft, active)
    if draft.problems:
        rules_result.mistakes(draft.problems)
    elif draft.preview is not None:
        rules_result.result(store, previewer, draft, name, adjudicator=adjudicator)
    _prepare(previewer)


@st.cache_resource(show_spinner=False)
def _previewer(_store: Store, url: str) -> Previewer:
    return Previewer(_store)


def _head(store: Store, active: Version, draft: Draft) -> None:
    """Which version is active, the files, and earlier versions."""
    words, files, earlier = st.columns([3, 1, 1], vertical_alignment="center")
    with words:
        st.markdown(f"Active: lexicon **{active.version}** by {literal(active.author)}")
        with store.read() as connection:
            others = len(other_versions(connection, active.version))
        if others:
            st.info(
                f"{others:,} records were labelled by another version of the lexicon. "
                "See what changes, and save, to bring them in line.",
                icon=":material/sync:",
            )
    files.download_button(
        "Download",
        as_zip(draft.files),
        f"lexicon-{active.version}{'-edited' if draft.edited(active) else ''}.zip",
        "application/zip",
        icon=":material/download:",
        help="all files as they stand here, for nlp.extract --lexicon",
        width="stretch",
    )
    with earlier.popover("Versions", icon=":material/history:", width="stretch"):
        rules_edit.versions(store, active, draft)


def _actions(previewer: Previewer, draft: Draft, active: Version) -> None:
    edited = draft.edited(active)
    see, drop, said = st.columns([1, 1, 3], vertical_alignment="center")
    if see.button("See what changes", type="primary", icon=":material/difference:", width="stretch"):
        with st.spinner("Reading what may change"):
            _see(previewer, draft)
    if drop.button("Discard edits", disabled=not edited, icon=":material/undo:", width="stretch"):
        draft.restart(active)
        st.rerun()
    counts = (f"{name} ({_rows_that_differ(draft.files[name], active.files[name])} rows)" for name in edited)
    said.caption(f"Edited: {', '.join(counts)}" if edited else "Nothing is edited.")


def _rows_that_differ(text: str, before: str) -> int:
    """Rows that were added or changed, or else are gone."""
    now, then = ([tuple(row.items()) for row in rows_of(each)] for each in (text, before))
    return max(len([row for row in now if row not in then]), len([row for row in then if row not in now]))


def _see(previewer: Previewer, draft: Draft) -> None:
    draft.preview, draft.problems, draft.page = None, (), 1
    try:
        draft.preview, draft.previewed = previewer.preview(draft.files), dict(draft.files)
    except LexiconError as error:
        draft.problems = error.problems
    except StoreError as error:
        draft.problems = (str(error),)


def _prepare(previewer: Previewer) -> None:
    """Last of all: one can look and edit meanwhile, and the first question need not wait for it."""
    try:
        with st.spinner("Getting ready: reading the words of all captions once"):
            previewer.prepare()
    except LexiconError as error:
        rules_result.mistakes(error.problems)
