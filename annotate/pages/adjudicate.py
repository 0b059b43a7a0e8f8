"""Adjudicate: what readers said side by side, names hidden; one key takes a side."""

from __future__ import annotations

from html import escape

import streamlit as st

from annotate.adjudication_cases import Case, case_of, filled, new_values
from annotate.adjudication_html import CELL_WORDS, Name, caption_html, names, sources_html
from annotate.image_routes import image_url
from annotate.lexicon_versions import active_lexicon
from annotate.pages.adjudicate_steps import (
    chosen_record,
    drawn,
    held_keys_count_once,
    last_verdict,
    later,
    mark,
    own_key,
    reason_key,
    take,
    take_own,
    tell,
    undo,
    waiting_count,
)
from annotate.pages.common import base_path, get_store, page_link_to_record, require
from annotate.store import Store
from nlp.errors import StoreError
from nlp.markdown import literal
from nlp.schema import COVID

_ROOM = """<style>
@media (max-width: 1000px) {
  .stMainBlockContainer [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .stMainBlockContainer [data-testid="stColumn"] { min-width: 100%; }
}
</style>"""
"""Image, sources and caption stand in one window; below each other on a narrow or enlarged one."""
_READER_KEYS, _TEXT_KEY = "123456789", "T"


def page() -> None:
    """Draw the page."""
    store, name = get_store(), require("adjudicator")
    st.html(_ROOM)
    st.title("Adjudicate", anchor=False)
    tell()
    _draw(store, name)
    held_keys_count_once()
    drawn()


def _draw(store: Store, name: str) -> None:
    record_id = chosen_record(store)
    if record_id is None:
        _nothing_waits(store, name)
        return
    try:
        with store.read() as connection:
            case = case_of(connection, record_id, name)
            lexicon = active_lexicon(connection, store.findings)
            caption = caption_html(connection, case, lexicon)
    except StoreError as error:
        st.error(literal(str(error)))
        st.button("To the queue", on_click=later)
        return
    picture, words = st.columns(2, gap="large")
    with picture:
        _image(store, case)
        st.html(caption)
    with words:
        _standing(case)
        _verdict(store, name, case, names((*store.findings, COVID), lexicon))


def _nothing_waits(store: Store, name: str) -> None:
    st.success("Nothing waits to be settled.", icon=":material/check:")
    st.caption("A record comes here when all its annotators have read it and differ, or when one flagged it.")
    _undo_button(store, name)


def _image(store: Store, case: Case) -> None:
    source = escape(image_url(store, case.record_id, base=base_path()), quote=True)
    named = case.patient_id.casefold().startswith("patient")
    patient = case.patient_id if named else f"patient {case.patient_id}"
    place = (case.image, patient, case.panel and f"panel {case.panel}", case.diagnosis)
    st.html(
        '<div style="background:#000;border-radius:6px;text-align:center">'
        f'<img src="{source}" alt="image of record {case.record_id}"'
        ' style="width:100%;max-height:62vh;object-fit:contain"></div>'
        f'<small style="overflow-wrap:anywhere">{escape(" · ".join(filter(None, place)))}</small>'
    )


def _standing(case: Case) -> None:
    st.markdown(f"**Record {case.record_id}** · {waiting_count():,} in the queue")
    if case.own:
        said = "You are one of this record's readers: let somebody else settle it if you can."
        st.warning(said, icon=":material/person:")
    if case.verdict is not None:
        # code: a name is data, and Markdown would draw what it holds
        st.info("Settled already; a new verdict replaces this one.", icon=":material/gavel:")
        st.code(f"{case.verdict.adjudicator}: {case.verdict.reason or 'no reason given'}", language=None)


def _verdict(store: Store, name: str, case: Case, rows: tuple[Name, ...]) -> None:
    st.html(sources_html(case, rows))
    _sides(store, name, case)
    st.text_input(
        "Reason",
        key=reason_key(case),
        max_chars=500,
        placeholder="needed where you say what no source says",
    )
    with st.container(horizontal=True):
        st.button("Later", key=f"later_{mark(case)}", shortcut="N", on_click=later)
        _undo_button(store, name)
        page_link_to_record(case.record_id, "Open in Annotate")
    with st.expander("Decide each finding yourself", icon=":material/tune:"):
        _own_labels(store, name, case, rows)


def _sides(store: Store, name: str, case: Case) -> None:
    *readers, text = case.columns
    with st.container(horizontal=True):
        for place, column in enumerate(readers):
            if column.labels:
                key = _READER_KEYS[place : place + 1] or None
                st.button(
                    f"Take {column.title}",
                    key=f"take_{place}_{mark(case)}",
                    shortcut=key,
                    type="primary",
                    on_click=take,
                    args=(store, name, case, column.labels),
                )
        st.button(
            "Take the text",
            key=f"take_text_{mark(case)}",
            shortcut=_TEXT_KEY,
            disabled=not text.labels,
            on_click=take,
            args=(store, name, case, text.labels),
        )


def _own_labels(store: Store, name: str, case: Case, rows: tuple[Name, ...]) -> None:
    chosen: dict[str, str] = {}
    for row in rows:
        said = {filled(column.labels).get(row.key, "") for column in case.columns[:-1] if column.labels}
        cell = st.segmented_control(
            row.name,
            [cell for cell in CELL_WORDS if cell or row.key == COVID],
            default=said.pop() if len(said) == 1 else None,
            format_func=CELL_WORDS.__getitem__,
            key=own_key(case, row.key),
        )
        chosen |= {} if cell is None else {row.key: cell}
    if missing := [row.name for row in rows if row.key not in chosen]:
        st.caption(f"Still to choose: {', '.join(missing)}.")
    elif needed := [row.name for row in rows if row.key in new_values(case, chosen)]:
        st.caption(f"No source says this of {', '.join(needed)}: a reason is needed above.")
    st.button(
        "Save my verdict",
        key=f"save_{mark(case)}",
        shortcut="S",
        disabled=bool(missing),
        on_click=take_own,
        args=(store, name, case),
    )


def _undo_button(store: Store, name: str) -> None:
    record_id = last_verdict(store, name)
    st.button(
        "Undo" if record_id is None else f"Undo record {record_id}",
        key=f"undo_{record_id}",
        shortcut="U",
        disabled=record_id is None,
        on_click=undo,
        args=(store, name, record_id),
    )
