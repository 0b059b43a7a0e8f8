"""The first page of an empty database: load the example, or how to load one's own."""

from __future__ import annotations

import streamlit as st

from annotate.app_settings import settings
from annotate.example import has_example, load_example
from annotate.pages.common import get_store, require
from nlp.errors import ToolkitError
from nlp.markdown import literal


def page() -> None:
    """Draw the page."""
    require("annotator")
    st.title("Nothing is loaded yet", anchor=False)
    example, own = st.columns(2, gap="large")
    with example:
        _example()
    with own:
        _own()


def _example() -> None:
    st.subheader("Look around", anchor=False)
    st.write("The example holds made-up captions with drawn CT-like slices. It loads in a few seconds.")
    if not has_example():
        st.info("The example comes with the source of the project; this is an installed package.")
    elif st.button("Load the example", type="primary", icon=":material/download:"):
        try:
            with st.spinner("Reading the captions and loading the images"):
                load_example(get_store())
        except ToolkitError as error:
            st.error(literal(str(error)))
        else:
            st.rerun()


def _own() -> None:
    url = settings().url
    st.subheader("Load your own", anchor=False)
    st.write("Captions become labels, then labels and images come here. Both can be done again and again.")
    st.code(
        "python -m nlp.extract captions.csv -o labels.csv --mentions mentions.csv\n"
        f"python -m annotate.load labels.csv --mentions mentions.csv --images DIR --db {url}",
        language="sh",
        wrap_lines=True,
    )
    st.button("Look again", icon=":material/refresh:")
