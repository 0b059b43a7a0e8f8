"""A deep link over a login: the provider sends everybody back to the start, so the tab itself keeps what was asked for.

Kept in the browser's session storage, which belongs to one tab and one site, for as long as a login may take.
"""

from __future__ import annotations

import streamlit as st

_KEEP = """
export default function () {
  sessionStorage.setItem("lesion_labels_asked", JSON.stringify({ url: location.href, at: Date.now() }));
}
"""
_OPEN = """
export default function () {
  const kept = sessionStorage.getItem("lesion_labels_asked");
  if (!kept) return;
  sessionStorage.removeItem("lesion_labels_asked");
  const { url, at } = JSON.parse(kept);
  const fresh = Date.now() - at < 15 * 60 * 1000;
  if (fresh && url !== location.href && new URL(url).origin === location.origin) location.replace(url);
}
"""


def keep_asked_page() -> None:
    """Remember the address of this tab, before a login."""
    _in_browser("lesion_labels_keep_asked", _KEEP)


def open_asked_page() -> None:
    """Go to the address that was asked for before the login, once; stay where none is kept."""
    _in_browser("lesion_labels_open_asked", _OPEN)


def _in_browser(name: str, script: str) -> None:
    st.components.v2.component(name, html="<span></span>", js=script)(key=name, height=1)
