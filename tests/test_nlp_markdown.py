"""Data inside Markdown stays data."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.markdown import literal

SIGNS = re.escape(r"""\`*_{}[]()<>#+-.!|:$~&@"'""")


@pytest.mark.parametrize("sign", r"\`*_{}[]()<>#+-.!|:$~&@" + '"')
def test_markdown_every_sign_that_draws_is_told_not_to(sign: str) -> None:
    assert literal(f"a{sign}b") == f"a\\{sign}b"


@given(text=st.text())
def test_markdown_shows_every_line_as_it_is(text: str) -> None:
    shown = [re.sub(r"\\(.)", r"\1", line) for line in literal(text).split("  \n")]
    assert shown == (text.splitlines() or [""])
    assert not re.search(r"(?<!\\)(?:\\\\)*[!\[\]()<&:]", literal(text))
