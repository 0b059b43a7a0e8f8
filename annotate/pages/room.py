"""The look that all pages share: little margin above, headings that leave room for what a page is about."""

from __future__ import annotations

import streamlit as st

_STYLE = """<style>
.stMainBlockContainer { padding-top: 4rem; }
.stMainBlockContainer h1 { font-size: 1.6rem; padding: 0 0 .75rem; }
.stMainBlockContainer h2 { font-size: 1.35rem; }
.stMainBlockContainer h3 { font-size: 1.15rem; }
.stMainBlockContainer [data-testid="stMetricValue"] * { font-size: 1.6rem; white-space: normal; }
[class*="st-key-lesion_labels_"] { position: absolute; }
</style>"""
"""What has nothing to show takes no room. A number in a narrow card takes a second line; by default its end is cut."""


def room() -> None:
    """Apply it to this run."""
    st.html(_STYLE)
