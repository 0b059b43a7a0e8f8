"""A store in which everything happens at random: people differ, skip, flag and settle, and an image model predicts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from annotate.store import Store
from annotate.store_tables import (
    ADJUDICATION,
    ANNOTATION,
    ANNOTATION_CURRENT,
    MENTION,
    PREDICTION,
    RECORD,
    SPLIT,
    WORK,
)
from nlp.schema import COVID
from tests.made_people import NOW, add_people

PEOPLE = ("head", "anna", "bob", "carl")
_CELLS = ("1", "0", "-1", "")


def fill_at_random(store: Store, seed: int, count: int = 60) -> None:
    """Records and whatever may be said of them; the same for the same seed."""
    chance = random.Random(seed)
    add_people(store, *PEOPLE)
    cells = {number: _labels(store, chance) for number in range(1, count + 1)}
    rows: dict[Any, list[dict[str, Any]]] = {
        RECORD: [_record(number, labels, chance) for number, labels in cells.items()],
        WORK: [_work(number, chance) for number in cells],
        MENTION: [_mention(store, number, chance) for number in cells for _ in range(chance.randrange(4))],
        PREDICTION: [
            {"record_id": number, "probabilities": {key: chance.random() for key in labels}, "run": "r"}
            for number, labels in cells.items()
            if chance.random() < 0.7
        ],
        SPLIT: [{"patient_id": f"p{number}", "split": chance.choice(("train", "test"))} for number in (1, 2)],
    }
    rows[ANNOTATION] = [
        _annotation(store, number, name, labels, chance)
        for number, labels in cells.items()
        for name in PEOPLE[1:]
        if chance.random() < 0.6
    ]
    for place, row in enumerate(rows[ANNOTATION], start=1):
        row["id"] = place
    rows[ANNOTATION_CURRENT] = [
        {name: row[name] for name in ("record_id", "annotator", "action")} | {"annotation_id": row["id"]}
        for row in rows[ANNOTATION]
    ]
    rows[ADJUDICATION] = [_verdict(store, place, count, chance) for place in range(count // 4)]
    with store.write() as connection:
        for table, values in rows.items():
            if values:
                connection.execute(table.insert(), values)


def _labels(store: Store, chance: random.Random) -> dict[str, str]:
    return {key: chance.choice(_CELLS) for key in (COVID, *store.findings)}


def _record(number: int, labels: Mapping[str, str], chance: random.Random) -> dict[str, Any]:
    return {
        "id": number,
        "image": f"{(number * 37) % 101:03}.png",
        "patient_id": f"p{number // 3}",
        "panel": chance.choice(("", "A")),
        "caption": chance.choice(("", "one text", "another text", f"text {number}")),
        "review": chance.choice(("auto", "auto", "confirmed")),
        "flags": chance.choice(("", "", "ambiguous_panel", "no_text;covid_conflict")),
        "labels": dict(labels),
    }


def _work(number: int, chance: random.Random) -> dict[str, Any]:
    row = {"record_id": number, "overlap": chance.randint(1, 3), "done": chance.randint(0, 3), "open": 0}
    return row | {"patient_id": f"p{number // 3}", "image": f"{number}.png"}


def _mention(store: Store, number: int, chance: random.Random) -> dict[str, Any]:
    details = {"match": chance.choice(("exact", "fuzzy")), "score": chance.choice(("", "88.5", "97.0"))}
    details["cue"] = chance.choice(("", "no sign of", "may be"))
    finding, assertion = chance.choice(store.findings), chance.choice(("present", "negated", "uncertain"))
    place = {"record_id": number, "start": chance.randrange(10_000), "end": 20_000}
    return place | {"finding": finding, "assertion": assertion, "details": details}


def _annotation(
    store: Store, number: int, name: str, labels: Mapping[str, str], chance: random.Random
) -> dict[str, Any]:
    action = "skip" if chance.random() < 0.15 else "confirm"
    said = {key: cell or ("" if key == COVID else "0") for key, cell in labels.items()}
    said |= {key: chance.choice(_CELLS[:3]) for key in store.findings if chance.random() < 0.15}
    return {
        "op_id": f"{name}-{number}",
        "record_id": number,
        "annotator": name,
        "action": action,
        "labels": said if action == "confirm" else {},
        "mentions": [],
        "boxes": [],
        "flagged": chance.random() < 0.1,
        "created": NOW + number * 20 + chance.random(),
    }


def _verdict(store: Store, place: int, count: int, chance: random.Random) -> dict[str, Any]:
    row = {"op_id": f"verdict-{place}", "record_id": chance.randint(1, count // 2), "adjudicator": "head"}
    withdrawn = chance.random() < 0.3
    return row | {"labels": _labels(store, chance), "withdrawn": withdrawn, "created": NOW + 9_000 + place}
