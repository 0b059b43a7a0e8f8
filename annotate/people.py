"""Who works in a database: names, roles and settings; every operation asks here whether it may."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from annotate.events import log
from annotate.store_tables import META, ROLES, USER
from nlp.errors import StoreError

IMPORTED = "imported"
"""The annotator of reviewed rows that came with a table; nobody can log in by this name."""

_LONGEST_NAME = 80
_LONGEST_SETTINGS = 20_000


@dataclass(frozen=True)
class User:
    """A person; ``created`` in Unix seconds."""

    name: str
    role: str
    created: float


def add_user(
    connection: sa.Connection, name: str, role: str = "annotator", *, now: float | None = None
) -> None:
    """Make a person known; who is known already keeps her role. The first one becomes adjudicator.

    Raises:
        StoreError: no such role, or a name that is blank, long, reserved or holds control characters.
    """
    check_name(name)
    _check_role(role)
    if role_of(connection, name) is not None:
        return
    # two first users at once: the second waits here, and then sees the first
    connection.execute(sa.select(META.c.value).where(META.c.key == "database_id").with_for_update())
    if role_of(connection, name) is not None:
        return
    first = connection.scalar(sa.select(USER.c.name).limit(1)) is None
    given = "adjudicator" if first else role
    now = time.time() if now is None else now
    connection.execute(USER.insert().values(name=name, role=given, settings={}, created=now))
    log(connection, name, "user.add", now=now, new={"name": name, "role": given})


def role_of(connection: sa.Connection, name: str) -> str | None:
    """The role, or None of somebody unknown."""
    role: str | None = connection.scalar(sa.select(USER.c.role).where(USER.c.name == name))
    return role


def users(connection: sa.Connection) -> list[User]:
    """Everybody, by name."""
    rows = connection.execute(sa.select(USER.c.name, USER.c.role, USER.c.created).order_by(USER.c.name))
    return [User(*row) for row in rows]


def set_role(
    connection: sa.Connection, *, actor: str, name: str, role: str, now: float | None = None
) -> None:
    """Give a person a role; only an adjudicator may, and one adjudicator must stay.

    Raises:
        StoreError: the actor may not, nobody has that name, no such role, or the last adjudicator would go.
    """
    # two who take each other's role at once: the second waits here, and then sees the first
    connection.execute(sa.select(USER.c.name).order_by(USER.c.name).with_for_update()).close()
    require_role(connection, actor, "adjudicator")
    _check_role(role)
    old = role_of(connection, name)
    if old is None:
        known = ", ".join(user.name for user in users(connection))
        raise StoreError(f"nobody is called {name!r}; known are {known}")
    others = USER.c.role == "adjudicator", USER.c.name != name
    if role != "adjudicator" and connection.scalar(sa.select(USER.c.name).where(*others).limit(1)) is None:
        raise StoreError(f"{name} is the only adjudicator: make somebody else one first")
    connection.execute(USER.update().where(USER.c.name == name).values(role=role))
    moment = time.time() if now is None else now
    log(
        connection,
        actor,
        "user.role",
        now=moment,
        old={"name": name, "role": old},
        new={"name": name, "role": role},
    )


def require_role(connection: sa.Connection, name: str, role: str) -> None:
    """Make sure that a person may act in this role; an adjudicator may do what an annotator may.

    Raises:
        StoreError: she is unknown, or may not.
    """
    found = role_of(connection, name)
    if found is None:
        raise StoreError(f"{name!r} is not known to this database: open the app and give the name there")
    if ROLES.index(found) < ROLES.index(role):
        raise StoreError(f"{name} is {found}; this needs the role {role}, which an adjudicator can give")


def settings(connection: sa.Connection, name: str) -> dict[str, Any]:
    """What a person set for herself, such as remapped keys; empty where nothing."""
    found: dict[str, Any] | None = connection.scalar(sa.select(USER.c.settings).where(USER.c.name == name))
    return found or {}


def save_settings(connection: sa.Connection, name: str, values: Mapping[str, Any]) -> None:
    """Replace a person's settings.

    Raises:
        StoreError: she is unknown, or they are too long.
    """
    require_role(connection, name, "annotator")
    if len(json.dumps(values)) > _LONGEST_SETTINGS:
        raise StoreError(f"settings are too long: at most {_LONGEST_SETTINGS:,} characters")
    connection.execute(USER.update().where(USER.c.name == name).values(settings=dict(values)))


def name_of_claims(claims: Mapping[str, Any]) -> str:
    """Who an OIDC provider says is there: an address says more than a number, but only one that is verified is hers.

    >>> name_of_claims({"sub": "248289", "email": "anna@example.org", "email_verified": False})
    '248289'
    """
    if claims.get("email") and claims.get("email_verified") is not False:
        return str(claims["email"])
    return str(claims["sub"])


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a person.

    Raises:
        StoreError: blank, long, reserved, with control characters, or with spaces around.
    """
    if not name or name != name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise StoreError(
            f"a name has 1 to {_LONGEST_NAME} printable characters and no spaces around; found {name[:_LONGEST_NAME]!r}"
        )
    if name.casefold() == IMPORTED:
        raise StoreError(f"the name {IMPORTED!r} is kept for labels that came with a table: choose another")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise StoreError(f"a role is one of {', '.join(ROLES)}; found {role!r}")
