"""What is long to compute is shown as it was up to a minute ago; a button looks again."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

FRESH_SECONDS = 60


def look_again(looked: float, forget: Callable[[], None]) -> None:
    """Say how old the numbers of a page are, and compute them anew where somebody asks.

    Args:
        looked: Unix time at which they were computed.
        forget: clears them.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        seconds = max(0, round(time.time() - looked))
        st.caption("As it is now." if seconds < 2 else f"As it was {seconds} seconds ago.", width="content")
        if st.button("Look again", icon=":material/refresh:", type="tertiary"):
            forget()
            st.rerun()
