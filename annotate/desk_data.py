"""What the desk in the browser is told when it opens: who works, in which order, with which findings and keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

from annotate.app_settings import secret_of
from annotate.desk_keys import KEY_ACTIONS
from annotate.lexicon_versions import active_lexicon
from annotate.people import role_of, settings
from annotate.store import Store
from annotate.tokens import issue_token
from nlp.entries import Finding
from nlp.page import COVID_CODE, COVID_COLOUR, NIGHT, PAPER, readable, tinted
from nlp.schema import ASSERTIONS, COVID, STATE_CELL, STATES

_GREY = "#6b7280"


@dataclass(frozen=True)
class Work:
    """Which records come, and in which order; ``open_record`` comes first of all."""

    order: str = "priority"
    filters: Mapping[str, str] | None = None
    open_record: int | None = None


def desk_data(store: Store, name: str, work: Work, *, base: str = "") -> dict[str, object]:
    """Everything the desk needs beside records, ready for JSON.

    Args:
        base: the path under which a proxy shows the app.
    """
    with store.read() as connection:
        role, own = role_of(connection, name), settings(connection, name)
        lexicon = active_lexicon(connection, store.findings)
    return {
        "user": name,
        "role": role,
        "token": issue_token(secret_of(store), name),
        "database": store.identity(),
        "base": base,
        "order": work.order,
        "filters": dict(work.filters or {}),
        "open": work.open_record,
        "settings": {"keys": own.get("keys", {}), "keys_on": own.get("keys_on", True)},
        "actions": [asdict(action) for action in KEY_ACTIONS],
        "states": list(STATES),
        "assertions": list(ASSERTIONS),
        "cells": dict(STATE_CELL),
        "findings": list(_findings(store.findings, lexicon.findings)),
        "covid": _look(COVID, "COVID-19", COVID_CODE, COVID_COLOUR),
    }


@lru_cache(maxsize=8)
def _findings(keys: tuple[str, ...], findings: tuple[Finding, ...]) -> tuple[dict[str, object], ...]:
    """The findings of the database with what the lexicon says of them; a key it lost keeps its bare name."""
    known = {finding.key: finding for finding in findings}
    return tuple(_finding(key, known) for key in keys)


def _finding(key: str, known: Mapping[str, Finding]) -> dict[str, object]:
    finding = known.get(key) or Finding(key, key.replace("_", " "), key[:6], _GREY, "", (), "", "")
    codes = [
        f"{kind} {code}" for kind, code in (("RadLex", finding.radlex), ("DICOM", finding.dicom)) if code
    ]
    return {
        **_look(key, finding.name, finding.abbreviation, finding.colour),
        "definition": finding.definition,
        "entails": [known[each].name for each in finding.entails if each in known],
        "codes": ", ".join(codes),
    }


def _look(key: str, name: str, code: str, colour: str) -> dict[str, object]:
    """Name, short code, and colours that can be read in both themes."""
    light, dark = readable(colour, PAPER), readable(colour, NIGHT)
    return {
        "key": key,
        "name": name,
        "code": code,
        "light": {"ink": light, "tint": tinted(light, PAPER)},
        "dark": {"ink": dark, "tint": tinted(dark, NIGHT)},
    }
