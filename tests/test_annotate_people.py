"""``annotate.people``: who may what, checked where it is done."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa

from annotate.people import (
    IMPORTED,
    add_user,
    require_role,
    role_of,
    save_settings,
    set_role,
    settings,
    users,
)
from annotate.store import Store
from annotate.store_tables import EVENT
from nlp.errors import StoreError


@pytest.fixture
def team(store: Store) -> Store:
    with store.write() as connection:
        for name in ("anna", "bob", "çelik 中"):
            add_user(connection, name)
    return store


def test_add_user_makes_the_first_one_adjudicator_and_nobody_else(team: Store) -> None:
    with team.read() as connection:
        assert {user.name: user.role for user in users(connection)} == {
            "anna": "adjudicator",
            "bob": "annotator",
            "çelik 中": "annotator",
        }


def test_add_user_again_changes_nothing(team: Store) -> None:
    with team.write() as connection:
        before = users(connection)
        add_user(connection, "bob", "adjudicator")
        assert users(connection) == before


@pytest.mark.parametrize("name", ["", " anna", "a\nb", "x" * 81, IMPORTED, "Imported", "\u202eanna"])
def test_add_user_refuses_what_is_no_name(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="name"), store.write() as connection:
        add_user(connection, name)


def test_set_role_is_for_adjudicators_and_is_logged(team: Store) -> None:
    with team.write() as connection:
        set_role(connection, actor="anna", name="bob", role="adjudicator")
        assert role_of(connection, "bob") == "adjudicator"
        event = connection.execute(sa.select(EVENT).where(EVENT.c.kind == "user.role")).one()
    assert (event.actor, event.old["role"], event.new["role"]) == ("anna", "annotator", "adjudicator")
    with pytest.raises(StoreError, match="needs the role adjudicator"), team.write() as connection:
        set_role(connection, actor="çelik 中", name="çelik 中", role="adjudicator")


def test_set_role_keeps_one_adjudicator_and_refuses_the_unknown(team: Store) -> None:
    with team.write() as connection:
        with pytest.raises(StoreError, match="only adjudicator"):
            set_role(connection, actor="anna", name="anna", role="annotator")
        with pytest.raises(StoreError, match="known are anna, bob"):
            set_role(connection, actor="anna", name="dora", role="annotator")
        with pytest.raises(StoreError, match="annotator, adjudicator"):
            set_role(connection, actor="anna", name="bob", role="king")


def test_set_role_of_two_at_once_leaves_one_adjudicator(team: Store) -> None:
    with team.write() as connection:
        set_role(connection, actor="anna", name="bob", role="adjudicator")
    both = Barrier(2)

    def demote(actor: str, name: str) -> bool:
        both.wait()
        try:
            with team.write() as connection:
                set_role(connection, actor=actor, name=name, role="annotator")
                time.sleep(0.2)
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(demote, ("anna", "bob"), ("bob", "anna")))
    with team.read() as connection:
        assert sorted(done) == [False, True]
        assert [user.role for user in users(connection)].count("adjudicator") == 1


def test_require_role_lets_an_adjudicator_annotate_and_nobody_unknown(team: Store) -> None:
    with team.read() as connection:
        require_role(connection, "anna", "annotator")
        require_role(connection, "bob", "annotator")
        for name, role in (("bob", "adjudicator"), ("dora", "annotator"), (IMPORTED, "annotator")):
            with pytest.raises(StoreError):
                require_role(connection, name, role)


def test_settings_are_kept_for_each_person(team: Store) -> None:
    keys = {"keys": {"confirm": "Enter"}, "windows": [1, 2.5]}
    with team.write() as connection:
        save_settings(connection, "bob", keys)
    with team.read() as connection:
        assert settings(connection, "bob") == keys
        assert settings(connection, "anna") == {} == settings(connection, "nobody")
    with team.write() as connection, pytest.raises(StoreError, match="too long"):
        save_settings(connection, "bob", {"note": "x" * 30_000})
