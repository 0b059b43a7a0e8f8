"""Who is there, and the way out."""

from __future__ import annotations

import streamlit as st

from annotate.app_settings import settings
from annotate.pages.common import sign_out
from annotate.people import role_of
from annotate.store import Store


def user_menu(store: Store, name: str) -> None:
    """Draw the menu with the annotator's name and role."""
    with store.read() as connection:
        role = role_of(connection, name)
    with st.popover("You", icon=":material/person:", help="Who is signed in", width="content"):
        st.text(f"{name}, {role}")
        if settings().user_header is None:
            st.button("Sign out", icon=":material/logout:", on_click=sign_out, key="sign_out")
