"""What the Adjudicate page keeps in a session, and what its buttons do: take a side, undo, go on."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

import streamlit as st

from annotate.adjudication import adjudicate, withdraw
from annotate.adjudication_cases import Case, Seen, case_of, queue, unsettled, verdicts_by
from annotate.decisions import Ack
from annotate.pages.common import record_number
from annotate.store import Store
from nlp.errors import StoreError
from nlp.markdown import literal
from nlp.schema import COVID

_WAITING, _ASKED, _SAID, _PRESSED, _DRAWN = (
    f"adjudicate_{name}" for name in ("waiting", "asked", "said", "pressed", "drawn")
)
_SOONEST = 0.8
"""Seconds from a page drawn after a press to the next press: a key that is held repeats sooner, and must count once."""
_LOOKED_AHEAD = 100
_HELD_ONCE = """
const once = (event) => {
  if (event.repeat && event.key.length === 1) event.stopImmediatePropagation();
};
export default function () {
  window.addEventListener("keydown", once, true);
  return () => window.removeEventListener("keydown", once, true);
}
"""
"""Streamlit's buttons take every repeat of a key that is held for a press of its own."""


def chosen_record(store: Store) -> int | None:
    """The record that a link or an undo asks for, else the next that waits and that nobody settled meanwhile."""
    if (asked := record_number(st.query_params.pop("record", ""))) is not None:
        st.session_state[_ASKED] = asked
    waiting: list[int] = st.session_state.get(_WAITING, [])
    with store.read() as connection:
        waiting = unsettled(connection, waiting[:_LOOKED_AHEAD]) + waiting[_LOOKED_AHEAD:]
        waiting = waiting or queue(connection)
    st.session_state[_WAITING] = waiting
    record_id: int | None = st.session_state.get(_ASKED)
    return record_id if record_id is not None else next(iter(waiting), None)


def held_keys_count_once() -> None:
    """Keep repeats of held keys from buttons; what comes through all the same is caught by its time."""
    st.components.v2.component("lesion_labels_held_once", html="<span></span>", js=_HELD_ONCE)(
        key="lesion_labels_held_once", height=1
    )


def waiting_count() -> int:
    """How many records this session still has before it."""
    return len(st.session_state.get(_WAITING, ()))


def last_verdict(store: Store, name: str) -> int | None:
    """The record that an undo would open again."""
    with store.read() as connection:
        return next(iter(verdicts_by(connection, name, 1)), None)


def mark(case: Case) -> str:
    """Part of every widget's key: a press meant for another record, or for an older state of it, finds nobody."""
    return f"{case.record_id}_{hash(case.seen)}"


def reason_key(case: Case) -> str:
    """Where the session holds the reason."""
    return f"adjudicate_reason_{mark(case)}"


def own_key(case: Case, key: str) -> str:
    """Where the session holds the adjudicator's own cell of a finding or covid19."""
    return f"adjudicate_own_{key}_{mark(case)}"


def take(store: Store, name: str, case: Case, labels: Mapping[str, str]) -> None:
    """Settle the record with these labels."""
    if _too_soon():
        return
    values = {
        "op_id": _operation(store, name, case.record_id, case.seen),
        "record_id": case.record_id,
        "labels": labels,
        # from the session: the last letters may come with the very click
        "reason": st.session_state.get(reason_key(case), ""),
        "base": case.seen,
    }
    try:
        with store.write() as connection:
            ack = adjudicate(connection, name, findings=store.findings, now=time.time(), **values)
            done = case_of(connection, case.record_id, name)
    except StoreError as error:
        _say("error", str(error))
        return
    if _kept(ack):
        readers = ", ".join(f"{each.title} was {each.annotator}" for each in done.columns if each.annotator)
        later()
        _say("saved", f"Record {case.record_id} is settled. {readers}.")


def take_own(store: Store, name: str, case: Case) -> None:
    """Settle the record with what was chosen for each finding."""
    cells = {key: st.session_state.get(own_key(case, key)) for key in (*store.findings, COVID)}
    if None not in cells.values():
        take(store, name, case, {key: str(cell) for key, cell in cells.items()})


def undo(store: Store, name: str, record_id: int) -> None:
    """Take the verdict on a record back and show it again."""
    if _too_soon():
        return
    try:
        with store.write() as connection:
            seen = case_of(connection, record_id, name).seen
            op_id = _operation(store, name, record_id, seen)
            ack = withdraw(connection, name, op_id=op_id, record_id=record_id, base=seen, now=time.time())
    except StoreError as error:
        _say("error", str(error))
        return
    if _kept(ack):
        st.session_state[_ASKED] = record_id
        _say("saved", f"The verdict on record {record_id} is taken back.")


def later() -> None:
    """Go on; the queue is read anew once it is worked off, and then has what was put off."""
    waiting: list[int] = st.session_state.get(_WAITING, [])
    record_id = st.session_state.pop(_ASKED, next(iter(waiting), None))
    st.session_state[_WAITING] = [each for each in waiting if each != record_id]
    st.session_state.pop(_SAID, None)


def drawn() -> None:
    """The page is complete: a press may count again a moment after."""
    if st.session_state.pop(_PRESSED, False):
        st.session_state[_DRAWN] = time.monotonic()


def tell() -> None:
    """What became of the last press; it stays until the next."""
    kind, said = st.session_state.get(_SAID, ("", ""))
    show = {"saved": st.success, "warning": st.warning, "error": st.error}.get(kind)
    if show:
        show(literal(said))


def _say(kind: str, said: str) -> None:
    st.session_state[_SAID] = (kind, said)


def _kept(ack: Ack) -> bool:
    kept = ack.status in ("saved", "repeated")
    if not kept:
        _say("warning", ack.message)
    return kept


def _too_soon() -> bool:
    """Whether the page that followed the last press is hardly drawn, or not yet: so a key that is held counts once.

    The time of the press itself would not do: presses wait in line while a page is drawn.
    """
    drawing = st.session_state.get(_PRESSED, False)
    st.session_state[_PRESSED] = True
    last: float = st.session_state.get(_DRAWN, -_SOONEST)
    return drawing or time.monotonic() - last < _SOONEST


def _operation(store: Store, name: str, record_id: int, seen: Seen) -> str:
    """The same press sent twice is one operation."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{store.identity()} {name} {record_id} {seen}"))
