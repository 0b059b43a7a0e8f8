"""What an annotator decides on a record, and how it comes from the browser: checked in every part."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nlp.errors import StoreError
from nlp.schema import ASSERTIONS, CELL_VALUES, COVID, MENTION_COLUMNS

Action = Literal["confirm", "skip", "undo"]
Cell = str | int | float | None

_OP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{7,99}")
_LONGEST_COMMENT = 10_000
_LONGEST_WORDS = 1_000
_MOST_MENTIONS = 2_000
_MOST_BOXES = 500
_MOST_MILLISECONDS = 2**31 - 1
_NUMBERS = ("start", "end", "cue_start", "cue_end", "score")
_LEFT_OUT = ("image", "text")  # they follow from the record; its text stands in one place only
MENTION_CELLS = tuple(column.name for column in MENTION_COLUMNS if column.name not in _LEFT_OUT)
"""What a mention holds in the store: start, end and score are numbers, blank ones None; the rest is text."""


@dataclass(frozen=True)
class Box:
    """A box around a finding, half-open, in pixels of the image file from its left upper corner."""

    finding: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Decision:
    """One press of a key.

    Attributes:
        op_id: made by the browser; the same one sent again is the same decision.
        labels: every cell by key, covid19 and the findings; may be empty for skip and undo.
        mentions: the annotator's whole list (``MENTION_CELLS``); empty: she deleted all; None: she left the
            text's alone.
        base: what she saw as her own current decision on the record: its annotation_id; or the op_id of
            an earlier decision whose answer was still on its way; None: none.
        saw_image: the image was on screen; else confirming leaves blanks blank.
        milliseconds: from the record on screen to the key; None: not measured.
    """

    op_id: str
    record_id: int
    action: Action
    labels: Mapping[str, str]
    mentions: tuple[Mapping[str, Cell], ...] | None = None
    boxes: tuple[Box, ...] = ()
    comment: str = ""
    flagged: bool = False
    base: int | str | None = None
    saw_image: bool = True
    milliseconds: int | None = None


def parse_decision(raw: object, findings: Sequence[str]) -> Decision:
    """A decision from the JSON of a browser.

    Args:
        raw: an object with the fields of ``Decision``; those with a default may be missing.
        findings: finding keys.

    Raises:
        StoreError: lists every part that is missing, unknown, of a wrong kind or too long; quotes no text.
    """
    if not isinstance(raw, dict):
        raise StoreError(f"a decision is an object with op_id, record_id and action; found {_kind(raw)}")
    problems = list(_problems(raw, findings))
    if problems:
        raise StoreError("a decision cannot be taken: " + "; ".join(problems))
    listed = raw.get("mentions")
    mentions = None if listed is None else tuple(map(_mention, listed))
    boxes = tuple(Box(**each) for each in raw.get("boxes") or ())
    given = {name: value for name, value in raw.items() if value is not None}
    return Decision(**{**given, "labels": raw.get("labels") or {}, "mentions": mentions, "boxes": boxes})


def _problems(raw: Mapping[Any, Any], findings: Sequence[str]) -> Iterator[str]:
    fields = Decision.__dataclass_fields__
    if unknown := [str(name)[:40] for name in raw if name not in fields]:
        yield f"it has no part {', '.join(unknown)}; its parts are {', '.join(fields)}"
    if not isinstance(raw.get("op_id"), str) or not _OP_ID.fullmatch(raw["op_id"]):
        yield "op_id is 8 to 100 letters, digits or _ . : -"
    if not _is_number(raw.get("record_id"), whole=True) or not 0 < raw["record_id"] < 2**63:
        yield "record_id is the number of a record"
    if raw.get("action") not in get_args(Action):
        yield f"action is one of {', '.join(get_args(Action))}"
    yield from _label_problems(raw.get("labels"), raw.get("action") == "confirm", findings)
    yield from _list_problems(raw.get("mentions"), "mentions", _MOST_MENTIONS, findings, _mention_problems)
    yield from _list_problems(raw.get("boxes"), "boxes", _MOST_BOXES, findings, _box_problems)
    comment = raw.get("comment") or ""
    if not _is_text(comment, _LONGEST_COMMENT):
        yield f"comment is text of at most {_LONGEST_COMMENT:,} characters"
    for name in ("flagged", "saw_image"):
        if not isinstance(raw.get(name) or False, bool):
            yield f"{name} is true or false"
    base = raw.get("base")
    if not (
        base is None or _is_number(base, whole=True) or (isinstance(base, str) and _OP_ID.fullmatch(base))
    ):
        yield "base is an annotation_id, an op_id or null"
    time = raw.get("milliseconds")
    if time is not None and not (_is_number(time, whole=True) and 0 <= time <= _MOST_MILLISECONDS):
        yield "milliseconds is a whole number of 0 or more"


def _label_problems(labels: object, needed: bool, findings: Sequence[str]) -> Iterator[str]:
    keys = (COVID, *findings)
    if not labels and not needed:
        return
    if not isinstance(labels, dict) or set(labels) != set(keys):
        yield f"labels has one cell for each of {', '.join(keys)}"
    elif wrong := [key for key, cell in labels.items() if cell not in CELL_VALUES]:
        yield f"labels of {', '.join(wrong)}: a cell is one of {', '.join(map(repr, CELL_VALUES))}"


def _list_problems(
    parts: object, name: str, most: int, findings: Sequence[str], of_one: Any
) -> Iterator[str]:
    if parts is None:
        return
    if not isinstance(parts, list) or len(parts) > most:
        yield f"{name} is a list of at most {most:,}"
        return
    for place, part in enumerate(parts):
        if not isinstance(part, dict):
            yield f"{name}[{place}] is an object"
        else:
            yield from (f"{name}[{place}]: {problem}" for problem in of_one(part, findings))


def _mention_problems(mention: Mapping[str, Any], findings: Sequence[str]) -> Iterator[str]:
    if mention.get("finding") not in (COVID, *findings):
        yield f"finding is one of {', '.join((COVID, *findings))}"
    if mention.get("assertion") not in ASSERTIONS:
        yield f"assertion is one of {', '.join(ASSERTIONS)}"
    span = [mention.get("start"), mention.get("end")]
    if not all(_is_number(place, whole=True) for place in span) or not 0 <= span[0] < span[1] < 2**31:  # type: ignore[operator]
        yield "start and end are whole numbers with 0 <= start < end"
    for name in MENTION_CELLS:
        value = mention.get(name)
        if value is None or value == "":
            continue
        if name in _NUMBERS and not _is_number(value):
            yield f"{name} is a number or null"
        if name not in _NUMBERS and not _is_text(value, _LONGEST_WORDS):
            yield f"{name} is text of at most {_LONGEST_WORDS:,} characters"


def _box_problems(box: Mapping[str, Any], findings: Sequence[str]) -> Iterator[str]:
    sides = [box.get(side) for side in ("left", "top", "right", "bottom")]
    if set(box) != set(Box.__dataclass_fields__):
        yield f"a box has {', '.join(Box.__dataclass_fields__)}"
    elif box["finding"] not in findings:
        yield f"finding is one of {', '.join(findings)}"
    elif not all(_is_number(side) and 0 <= side <= 1e6 for side in sides):  # type: ignore[operator]
        yield "its sides are pixels, 0 to 1,000,000"
    elif box["left"] >= box["right"] or box["top"] >= box["bottom"]:
        yield "left lies before right and top above bottom"


def _mention(raw: Mapping[str, Any]) -> Mapping[str, Cell]:
    return {name: _cell(raw, name) for name in MENTION_CELLS}


def _cell(mention: Mapping[str, Any], name: str) -> Cell:
    value: Cell = mention.get(name)
    return value or (value if value == 0 else None if name in _NUMBERS else "")


def _is_number(value: object, *, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)  # no float holds every whole number


def _is_text(value: object, longest: int) -> bool:
    """Text that every database keeps; half of a pair of UTF-16 units is none."""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _kind(value: object) -> str:
    return type(value).__name__
