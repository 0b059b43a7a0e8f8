"""What one annotation of Label Studio says of a record: labels, mentions, boxes and a comment, or what is wrong.

Choices are taken by their finding (key, name or abbreviation): either a block named after it with present,
uncertain or absent, or a block of any name whose choices are findings. Where nothing is chosen, a box says present,
and spans say what they would in a text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from annotate.decision_forms import Box
from annotate.export_marks import BY_PERSON
from annotate.label_studio import Size, choices
from annotate.label_studio_places import box_corners, span_place
from nlp.entries import Finding
from nlp.schema import ASSERTIONS, COVID, STATE_CELL, record_state

_COVID_NAMES = (COVID, "covid-19", "covid", "cvd19")
_SHOWN = 40


@dataclass
class Said:
    """What an annotation says; ``problems`` are sentences, and where there are any the rest is not complete."""

    labels: dict[str, str] = field(default_factory=dict)
    mentions: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    comment: str = ""
    problems: list[str] = field(default_factory=list)


def finding_names(findings: Sequence[Finding]) -> dict[str, str]:
    """Every name of a finding and of covid19, in small letters, with its key."""
    names = dict.fromkeys(_COVID_NAMES, COVID)
    for finding in findings:
        names |= dict.fromkeys(
            map(str.casefold, (finding.key, finding.name, finding.abbreviation)), finding.key
        )
    return names


def read_result(
    result: object, names: Mapping[str, str], caption: str, size_of: Callable[[], Size | None]
) -> Said:
    """The parts of an annotation's ``result`` together.

    Args:
        names: as ``finding_names`` gives them.
        caption: the record's text, into which spans point.
        size_of: gives width and height of the image in pixels, where the result does not say them.
    """
    said = Said()
    if not isinstance(result, list) or not all(_is_part(part) for part in result):
        said.problems.append("its result is no list of parts with a type and a value")
        return said
    spans: dict[str, list[dict[str, Any]]] = defaultdict(list)
    assertions: dict[str, str] = {}
    for part in result:
        kind, value = part["type"], part["value"]
        if kind == "choices" and "start" in value:
            assertions[str(part.get("id"))] = _assertion(value, said)
        elif kind == "choices":
            _take_choices(str(part.get("from_name")), value.get("choices"), names, said)
        elif kind == "labels":
            spans[str(part.get("id"))] += _spans(value, names, caption, said)
        elif kind == "rectanglelabels":
            said.boxes += _boxes(part, names, size_of, said)
        elif kind == "textarea":
            said.comment = "\n".join(filter(None, [said.comment, *map(str, _listed(value.get("text")))]))
        else:
            said.problems.append(f"a part of type {_short(kind)} has no place in a record")
    for name, found in spans.items():
        said.mentions += [mention | {"assertion": assertions.get(name, "present")} for mention in found]
    said.mentions.sort(key=lambda mention: (mention["start"], mention["end"], mention["finding"]))
    _conclude(said)
    return said


def _is_part(part: object) -> bool:
    return (
        isinstance(part, dict) and isinstance(part.get("type"), str) and isinstance(part.get("value"), dict)
    )


def _take_choices(block: str, chosen: object, names: Mapping[str, str], said: Said) -> None:
    key = names.get(block.casefold())
    for choice in map(str, _listed(chosen)):
        of_block, other = choices(key) if key else {}, names.get(choice.casefold())
        if key and choice.casefold() in of_block:
            _set(said, key, of_block[choice.casefold()])
        elif not key and other:
            _set(said, other, "1")
        else:
            allowed = ", ".join(of_block) if key else "a finding of the lexicon"
            said.problems.append(
                f"choice {_short(choice)} of {_short(block)} is unknown; allowed is {allowed}"
            )


def _set(said: Said, key: str, cell: str) -> None:
    if said.labels.get(key, cell) != cell:
        said.problems.append(f"several choices for {key}")
    said.labels[key] = cell


def _assertion(value: Mapping[str, Any], said: Said) -> str:
    chosen = [str(choice).casefold() for choice in _listed(value.get("choices"))]
    if len(chosen) == 1 and chosen[0] in ASSERTIONS:
        return chosen[0]
    said.problems.append(
        f"a span's choice is one of {', '.join(ASSERTIONS)}; found {_short(', '.join(chosen))}"
    )
    return "present"


def _spans(
    value: Mapping[str, Any], names: Mapping[str, str], caption: str, said: Said
) -> Iterator[dict[str, Any]]:
    place = span_place(value, caption)
    if place is None:
        said.problems.append(
            f"a span at {_short(value.get('start'))} does not fit the caption of this record"
        )
        return
    for key in _keys(value.get("labels"), names, said):
        start, end = place
        yield {**BY_PERSON, "finding": key, "start": start, "end": end, "term": caption[start:end]}


def _boxes(
    part: Mapping[str, Any], names: Mapping[str, str], size_of: Callable[[], Size | None], said: Said
) -> Iterator[Box]:
    value = part["value"]
    sides = [value.get(name) for name in ("x", "y", "width", "height")]
    width, height = (part.get("original_width"), part.get("original_height"))
    if not (_is_size(width) and _is_size(height)):
        width, height = size_of() or (None, None)
    if width is None or height is None:
        said.problems.append("a box lacks original_width and original_height, and its image was not found")
    elif not all(isinstance(side, int | float) for side in sides) or value.get("rotation"):
        said.problems.append("a box has x, y, width and height in percent, and no rotation")
    else:
        left, top, right, bottom = box_corners(sides, width, height)
        if left < right and top < bottom:
            for key in _keys(value.get("rectanglelabels"), names, said):
                yield Box(key, left, top, right, bottom)
        else:
            said.problems.append("a box lies outside of its image")


def _keys(labels: object, names: Mapping[str, str], said: Said) -> Iterator[str]:
    found = _listed(labels)
    if not found:
        said.problems.append("a span or box has no label")
    for label in map(str, found):
        if key := names.get(label.casefold()):
            yield key
        else:
            said.problems.append(f"label {_short(label)} is no finding of the lexicon")


def _conclude(said: Said) -> None:
    """Labels that were not chosen follow from boxes and spans."""
    spoken = defaultdict(list)
    for mention in said.mentions:
        spoken[mention["finding"]].append(mention["assertion"])
    marked = {box.finding: "1" for box in said.boxes}
    heard = {key: STATE_CELL[record_state(assertions)] for key, assertions in spoken.items()}
    said.labels = {**heard, **marked, **said.labels}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _short(value: object) -> str:
    return repr(str(value)[:_SHOWN])
