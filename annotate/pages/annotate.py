"""The desk: order and filters above, then the one component that does the rest in the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
import streamlit as st

from annotate.desk_data import Work, desk_data
from annotate.pages.common import base_path, get_store, record_number, require
from annotate.pages.user_menu import user_menu
from annotate.store import Store
from annotate.store_tables import RECORD
from annotate.suspects import rank_suspects
from annotate.worklist import ORDERS, rank_suspects_first
from nlp.lexicon import load_lexicon
from nlp.schema import COVID, FLAGS

_HERE = Path(__file__).parent
SCRIPTS = (
    "desk_dom.js",
    "desk_outbox.js",
    "desk_work.js",
    "desk_text.js",
    "desk_pointer.js",
    "desk_box.js",
    "desk_image.js",
    "desk_shelf.js",
    "desk_panel.js",
    "desk_side.js",
    "desk_sheet.js",
    "desk_build.js",
    "desk_edit.js",
    "desk_fetch.js",
    "desk_notices.js",
    "desk_press.js",
    "desk.js",
)
"""In this order they are one module: what a file uses stands above it."""
ORDER_NAMES: Mapping[str, str] = {
    "priority": "Flagged and uncertain first",
    "suspects": "Suspects first",
    "random": "Random",
    "patient": "By patient",
    "image": "By image name",
}
_STATES: Mapping[str, str] = {
    "1": "present",
    "-1": "uncertain",
    "0": "negated or resolved",
    "": "not mentioned",
}
_ROOM = """<style>
.stMainBlockContainer { padding: 4.1rem 1.25rem .25rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: .5rem; }
</style>"""
"""The desk needs the whole window; other pages keep their margins."""


def page() -> None:
    """Draw the page."""
    name = require("annotator")
    store = get_store()
    st.html(_ROOM)
    with st.container(horizontal=True, vertical_alignment="center", key="desk_controls"):
        order = st.selectbox(
            "Order",
            ORDERS,
            format_func=lambda key: ORDER_NAMES.get(key, key),
            label_visibility="collapsed",
            width=260,
            key="desk_order",
        )
        filters = _filters(store)
        user_menu(store, name)
    if order == "suspects":
        _rank(store)
    work = Work(order=order, filters=filters, open_record=_asked_record())
    _component()(
        key="desk",
        data=desk_data(store, name, work, base=base_path()),
        on_token_wanted_change=lambda: None,  # the rerun itself brings a fresh token
    )


def _filters(store: Store) -> dict[str, str]:
    """What the annotator narrows the work to; blank values do not narrow."""
    names = {COVID: "COVID-19", **{finding.key: finding.name for finding in load_lexicon().findings}}
    chosen: dict[str, str | None] = {}
    with st.popover("Filter", icon=":material/filter_list:", width="content"):
        findings = (COVID, *store.findings)
        chosen["finding"] = st.selectbox(
            "Finding", findings, index=None, placeholder="any", format_func=lambda key: names.get(key, key)
        )
        if chosen["finding"]:
            chosen["state"] = st.selectbox(
                "What the text says of it",
                _STATES,
                index=None,
                placeholder="anything",
                format_func=_STATES.__getitem__,
            )
        chosen["flag"] = st.selectbox(
            "Flag", ("any", *FLAGS), index=None, placeholder="whether flagged or not", format_func=_flag_words
        )
        chosen["source"] = st.selectbox("Source", _sources(store), index=None, placeholder="any")
        chosen["patient_id"] = st.text_input("Patient", placeholder="any").strip() or None
    kept = {key: value for key, value in chosen.items() if value is not None}
    if kept:
        st.caption(f"Only: {_filter_words(kept, names)}", width="content")
    return kept


def _filter_words(kept: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The filters in words, without Markdown: sources and patients come from data."""
    words = []
    if "finding" in kept:
        state = f" {_STATES[kept['state']]}" if "state" in kept else ""
        words.append(names.get(kept["finding"], kept["finding"]) + state)
    if "flag" in kept:
        words.append(_flag_words(kept["flag"]))
    words += [
        f"{name} chosen" for key, name in (("source", "source"), ("patient_id", "patient")) if key in kept
    ]
    return ", ".join(words)


def _flag_words(flag: str) -> str:
    return "any flag" if flag == "any" else flag.replace("_", " ")


def _asked_record() -> int | None:
    """The record of a deep link, ``/annotate?record=ID``."""
    return record_number(st.query_params.get("record", ""))


@st.cache_data(
    ttl=600,
    max_entries=4,
    show_spinner="Comparing text, people and image model",
    hash_funcs={Store: lambda store: store.url},
)
def _rank(store: Store) -> int:
    """Let the order of suspects follow the ranking; compared first, so that nobody's key waits for it."""
    with store.read() as connection:
        ranked = rank_suspects(connection, store.findings)
    with store.write() as connection:
        rank_suspects_first(connection, ranked.by_record())
    return len(ranked)


@st.cache_data(ttl=300, max_entries=4, show_spinner=False, hash_funcs={Store: lambda store: store.url})
def _sources(store: Store) -> list[str]:
    query = sa.select(RECORD.c.source).where(RECORD.c.source != "").distinct().order_by(RECORD.c.source)
    with store.read() as connection:
        return list(connection.scalars(query.limit(1000)))


def _component() -> Callable[..., object]:
    """The desk: registered for every run, as a runtime forgets; the texts are read once."""
    script, style = _texts()
    mount = '<div class="desk-mount"></div>'
    return st.components.v2.component(
        "lesion_labels_desk", html=mount, css=style, js=script, isolate_styles=False
    )


@lru_cache(maxsize=1)
def _texts() -> tuple[str, str]:
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return script, (_HERE / "desk.css").read_text(encoding="utf-8")
