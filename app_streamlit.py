"""The app: ``streamlit run app_streamlit.py [-- --db URL --images DIR]``. Page list and routes only.

This file is loaded twice over: once as a module, for the server with our own routes, and once for every run of
a session, which draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from annotate.app_settings import app_store, image_folder, settings
from annotate.desk_routes import desk_routes
from annotate.image_routes import image_route
from annotate.pages import home
from annotate.pages.asked_page import open_asked_page
from annotate.pages.common import base_path, favicon, get_store, sign_in, uses_oidc
from annotate.pages.room import room
from annotate.records_loaded import is_empty
from annotate.uploads import add_upload

PAGES = (
    ("annotate.pages.annotate", "Annotate", "edit_note", "annotate"),
    ("annotate.pages.adjudicate", "Adjudicate", "balance", "adjudicate"),
    ("annotate.pages.suspects", "Suspects", "troubleshoot", "suspects"),
    ("annotate.pages.agreement", "Agreement", "handshake", "agreement"),
    ("annotate.pages.progress", "Progress", "monitoring", "progress"),
    ("annotate.pages.rules", "Rules", "rule", "rules"),
    ("annotate.pages.split_export", "Split and export", "call_split", "split"),
)


def draw() -> None:
    """One run of a session."""
    st.set_page_config(page_title="Lesion labels", page_icon=favicon(), layout="wide")
    room()
    sign_in()
    if uses_oidc():
        open_asked_page()
    pages = [
        st.Page(_drawer(module), title=title, icon=f":material/{icon}:", url_path=path)
        for module, title, icon, path in PAGES
        if find_spec(module)  # a package brings its pages when it is installed
    ]
    if find_spec("torch"):  # the extra train
        pages.append(st.Page(_diagnose, title="Diagnose", icon=":material/radiology:", url_path="diagnose"))
    empty = is_empty(get_store())
    start = st.Page(
        home.page if empty else partial(st.switch_page, pages[0]),
        title="Start",
        icon=":material/home:",
        url_path="start",
        default=True,  # the default page has no path of its own, and /annotate must have one
        visibility="visible" if empty else "hidden",
    )
    st.navigation([start, *pages], position="top").run()


def _drawer(module: str) -> Callable[[], None]:
    """Draws a page; its module is loaded when somebody looks at it, so that the desk opens quickly."""

    def page() -> None:
        import_module(module).page()

    return page


def _diagnose() -> None:
    """The page of another package, which knows nothing of the store: it is handed what it may use."""
    store, chosen = get_store(), settings()
    images = image_folder(store, chosen.images)
    keep = partial(add_upload, store, images, actor=sign_in()) if images else None
    import_module("train.pages.diagnose").page(chosen.runs, images=images, keep=keep)


if get_script_run_ctx(suppress_warning=True) is None:
    app = st.App(
        __file__,
        routes=[
            image_route(app_store, images=settings().images, base=base_path()),
            *desk_routes(app_store, base=base_path()),
        ],
    )
else:
    draw()
