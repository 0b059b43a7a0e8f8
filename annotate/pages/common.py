"""What every page needs: the store, who is there, and links to records."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st
from PIL import Image, ImageDraw

from annotate.app_settings import app_store, settings
from annotate.pages.asked_page import keep_asked_page
from annotate.people import add_user, name_of_claims, role_of
from annotate.store import Store
from annotate.store_tables import ROLES
from nlp.errors import StoreError
from nlp.markdown import literal

_USER = "lesion_labels_user"


def get_store() -> Store:
    """The store of this app, one for the whole process; says what is wrong and stops where it cannot be opened."""
    try:
        return app_store()
    except StoreError as error:
        st.error(f"The database cannot be opened. {literal(str(error))}", icon=":material/database_off:")
        st.stop()


@st.cache_resource
def favicon() -> Image.Image:
    """A small picture for the browser's tab; icons of Streamlit by name would be fetched from the network."""
    picture = Image.new("RGBA", (64, 64))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, 63, 63), 14, fill="#1f5fbf")
    draw.ellipse((12, 16, 30, 52), fill="#ffffff")
    draw.ellipse((34, 16, 52, 52), fill="#ffffff")
    draw.rectangle((38, 32, 48, 42), outline="#2fd651", width=3)
    return picture


def base_path() -> str:
    """The path under which a proxy shows the app, without a slash at its end; usually blank."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


def current_user() -> str | None:
    """Who is there: as the proxy says where it was asked for, by OIDC where that is set up, else as typed."""
    header = settings().user_header
    if header is not None:
        return st.context.headers.get(header) or None
    if uses_oidc():
        return name_of_claims(st.user.to_dict()) if st.user.is_logged_in else None
    name = st.session_state.get(_USER) or st.query_params.get("user")
    if name:
        st.session_state[_USER] = name
        if st.query_params.get("user") != name:
            st.query_params["user"] = name  # a reload of this tab stays with this name
    return name or None


def uses_oidc() -> bool:
    """Whether secrets.toml sets up a login."""
    return "is_logged_in" in st.user


def sign_in() -> str:
    """The name of who is there, known to the store from now on; draws the entrance and stops where it is nobody."""
    name = current_user()
    if name is None:
        _entrance()
        st.stop()
    store = get_store()
    try:
        with store.read() as connection:
            known = role_of(connection, name) is not None
        if not known:
            with store.write() as connection:
                add_user(connection, name)
    except StoreError as error:
        _forget()
        st.error(literal(str(error)))
        _entrance()
        st.stop()
    return name


def require(role: str) -> str:
    """The name of who is there, if she has the role (an adjudicator has both); says so and stops otherwise.

    What a page changes is checked again where it is changed.
    """
    name = sign_in()
    with get_store().read() as connection:
        found = role_of(connection, name)
    if found is None or ROLES.index(found) < ROLES.index(role):
        st.warning(f"This page is for the role {role}; you are {found}. An adjudicator can change that.")
        st.stop()
    return name


def record_url(record_id: int) -> str:
    """A link that opens a record in Annotate, in a new tab too; it keeps a typed name."""
    parts = {"record": str(record_id)}
    if settings().user_header is None and not uses_oidc() and (name := current_user()):
        parts["user"] = name
    return f"{base_path()}/annotate?{urlencode(parts)}"


def record_number(asked: str) -> int | None:
    """The record that a link asks for; None where that is no number."""
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else None


def page_link_to_record(record_id: int, label: str) -> None:
    """Draw a link that opens a record in Annotate."""
    st.link_button(label, record_url(record_id), icon=":material/open_in_new:")


def sign_out() -> None:
    """Forget a typed name, or leave the OIDC login."""
    if uses_oidc():
        st.logout()
    _forget()


def _forget() -> None:
    st.session_state.pop(_USER, None)
    st.query_params.pop("user", None)


def _entrance() -> None:
    """Ask who is there."""
    _, middle, _ = st.columns([1, 1.2, 1])
    with middle:
        st.title("Lesion labels", anchor=False)
        st.write("Chest CT captions become labels; people confirm them.")
        header = settings().user_header
        if header is not None:
            st.error(f"The proxy names nobody in {literal(header)}: sign in there, then reload this page.")
        elif uses_oidc():
            keep_asked_page()
            st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
        else:
            _name_form()
        st.caption("For research, not for diagnosis.")


def _name_form() -> None:
    with st.form("name", border=True):
        name = st.text_input("Your name", max_chars=80, autocomplete="username").strip()
        sent = st.form_submit_button("Start", type="primary", icon=":material/login:")
    if sent and name:
        st.session_state[_USER] = name
        st.rerun()
    elif sent:
        st.warning("A name is needed: each reading is kept under the name of who made it.")
