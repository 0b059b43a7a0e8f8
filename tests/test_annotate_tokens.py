"""Tokens and image links: good for whom and what they were made for, for a time, and for nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner

from annotate import tokens
from annotate.tokens import LINK_SECONDS, issue_token, link_is_good, name_in_token, sign_link

SECRET = b"secret of a database"
NOW = 1_700_000_000.0


@given(st.text(min_size=1, max_size=80))
def test_tokens_give_back_the_name(name: str) -> None:
    assert name_in_token(SECRET, issue_token(SECRET, name)) == name


@given(st.text(max_size=80))
def test_tokens_of_others_are_refused(text: str) -> None:
    assert name_in_token(SECRET, text) is None
    assert name_in_token(SECRET, issue_token(b"another database", "anna")) is None


def test_tokens_end(monkeypatch: pytest.MonkeyPatch) -> None:
    old = issue_token(SECRET, "anna")
    later = int(time.time()) + tokens.TOKEN_SECONDS + 2
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: later)
    assert name_in_token(SECRET, old) is None


def test_tokens_links_hold_for_one_record_and_some_hours() -> None:
    signature = sign_link(SECRET, 7, now=NOW)
    assert link_is_good(SECRET, 7, signature, now=NOW + LINK_SECONDS - 1)
    assert not link_is_good(SECRET, 8, signature, now=NOW)
    assert not link_is_good(b"another database", 7, signature, now=NOW)
    assert not link_is_good(SECRET, 7, signature, now=NOW + LINK_SECONDS + 3601)
    assert sign_link(SECRET, 7, now=NOW + 1) == signature  # the browser's cache finds the image again


@given(st.text(max_size=60))
def test_tokens_links_refuse_anything_else(text: str) -> None:
    assert not link_is_good(SECRET, 7, text)


def test_tokens_links_cannot_be_given_more_time() -> None:
    ends, proof = sign_link(SECRET, 7, now=NOW).split(".")
    assert not link_is_good(SECRET, 7, f"{int(ends) + 10**9}.{proof}", now=NOW)
