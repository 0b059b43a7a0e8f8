"""Tables of the page about the app: keys from the code, figures from ``benchmarks/results/*.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from docs.figures import NOT_MEASURED, result_of, table, with_machine

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def keys_table() -> str:
    """The keys of the desk, by group; an annotator may change each."""
    from annotate.desk_keys import KEY_ACTIONS

    rows = [
        (
            group,
            "<br>".join(f"`{each.key if each.key.strip() else 'space'}` {each.meaning}" for each in actions),
        )
        for group, actions in groupby(KEY_ACTIONS, key=lambda each: each.group)
    ]
    return table(("", "keys"), rows)


def desk_table(root: Path) -> str:
    """Times of the desk in a real browser."""
    found = result_of(root, "desk")
    if found is None:
        return NOT_MEASURED
    header, *rows = found["table"]
    return with_machine(table(header, rows), found)


def store_table(root: Path) -> str:
    """What the databases kept and how long it took."""
    found = result_of(root, "store")
    if found is None:
        return NOT_MEASURED
    measured = [name for name in DATABASES if name in found]
    rows = [
        (what, *(dict(_store_rows(found[name])).get(what, "–") for name in measured))
        for what, _ in _store_rows(found[measured[0]])
    ]
    return with_machine(table(("", *(DATABASES[name] for name in measured)), rows), found)


def _store_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    killed, contest = found["killed"], found["contest"]
    yield from ((f"writers killed: {name.replace('_', ' ')}", f"{value:,}") for name, value in killed.items())
    yield from ((f"four at once: {name.replace('_', ' ')}", f"{value:,}") for name, value in contest.items())
    yield "loading 100,000 records, s", f"{found['load_seconds']:.0f}"
    for name, times in found["milliseconds"].items():
        yield f"{name.replace('_', ' ')}, p50 / p95 ms", f"{times['p50']:.1f} / {times['p95']:.1f}"


def split_table(root: Path) -> str:
    """The published images divided by us and by scikit-learn."""
    found = result_of(root, "split")
    if found is None:
        return NOT_MEASURED
    header = ("way", "patients cut", "a finding missing in a set", "patients per class off", "ms")
    rows = [
        (
            f"`{way['name']}`" if way["name"].startswith("annotate") else way["name"],
            str(way["patients_cut"]),
            f"{way['seeds_lacking']} of {way['seeds']} seeds",
            f"{way['patients_off']:.1f}",
            f"{way['milliseconds']:.0f}",
        )
        for way in found["ways"]
    ]
    return with_machine(table(header, rows), found)


def rules_table(root: Path) -> str:
    """Seconds from a press of the button to what would change."""
    found = result_of(root, "rules")
    if found is None:
        return NOT_MEASURED
    rows: list[Sequence[str]] = [
        (texts, edit, f"{each['seconds']:.2f}", f"{each['read']:,}", f"{each['changed']:,}")
        for texts, measured in found["sets"].items()
        for edit, each in measured["edits"].items()
    ]
    header = (f"{found['rows']:,} captions", "edit", "median s", "captions read", "records changed")
    return with_machine(table(header, rows), found)
