"""Decisions as a browser sends them, in few words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from annotate.decisions import Ack, Decision, parse_decision, save
from annotate.people import add_user
from annotate.store import Store
from annotate.worklist import claim
from nlp.schema import COVID

NOW = 1_700_000_000.0


def cells(findings: Sequence[str], **given: str) -> dict[str, str]:
    return {key: given.get(key, "") for key in (COVID, *findings)}


def decision(store: Store, record_id: int, action: str = "confirm", **parts: Any) -> Decision:
    """A decision with an op_id of its own; ``labels`` holds the cells that are not blank."""
    given: Mapping[str, str] = parts.pop("labels", {})
    labels = cells(store.findings, **given) if action == "confirm" else {}
    raw = {"op_id": str(uuid.uuid4()), "record_id": record_id, "action": action, "labels": labels}
    return parse_decision({**raw, **parts}, store.findings)


def people(store: Store, *names: str) -> None:
    with store.write() as connection:
        for name in names:
            add_user(connection, name, now=NOW)


def keep(store: Store, annotator: str, *decisions: Decision, now: float = NOW, **options: Any) -> list[Ack]:
    with store.write() as connection:
        return save(connection, store.findings, annotator, decisions, now=now, **options)


def take(store: Store, annotator: str, count: int, *, now: float = NOW, **options: Any) -> list[int]:
    with store.write() as connection:
        return claim(connection, annotator, count, now=now, **options)


def rows(store: Store, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    with store.read() as connection:
        return list(connection.execute(sa.select(table).where(*where).order_by(*table.primary_key.columns)))
