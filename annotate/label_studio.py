"""A settled table as tasks of Label Studio: image, text, labels as choices, mentions as spans, boxes as rectangles.

The form is Label Studio's own JSON, https://labelstud.io/guide/task_format. Labels that people settled are
annotations; those that only a text says are predictions, which wait there for someone to accept them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

import pandas as pd

from annotate.decision_forms import Box
from nlp.entries import Finding
from nlp.page import COVID_COLOUR
from nlp.schema import ASSERTIONS, COVID, COVID_CELL

IMAGE, CAPTION = "image", "caption"
MENTION, ASSERTION, BOX, COMMENT = "mention", "assertion", "box", "comment"
RECORD_FIELD = "record"
"""Field of a task's data that holds our name of the image, whatever form its address takes."""

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves a folder of its own machine."""

FINDING_CELLS: Mapping[str, str] = {"present": "1", "uncertain": "-1", "absent": "0"}
COVID_CELLS: Mapping[str, str] = {name: cell for name, cell in COVID_CELL.items() if cell}
BOX_COLOUR = "#0b8a3c"  # the green of the paper's figures

Size = tuple[int, int]
Result = dict[str, Any]


def choices(key: str) -> Mapping[str, str]:
    """What can be chosen for a finding or for covid19, with its cell of the contract."""
    return COVID_CELLS if key == COVID else FINDING_CELLS


def labelling_config(findings: Sequence[Finding]) -> str:
    """The labelling interface that shows these tasks, as XML for a project's settings."""
    view = Xml.Element("View")
    # spaces that are not shown would shift every offset behind them
    Xml.SubElement(view, "Style").text = ".htx-text { white-space: pre-wrap; }"
    tools = dict.fromkeys(("zoom", "brightnessControl", "contrastControl"), "true")
    Xml.SubElement(view, "Image", {"name": IMAGE, "value": f"${IMAGE}", **tools})
    boxes = Xml.SubElement(view, "RectangleLabels", name=BOX, toName=IMAGE)
    for finding in findings:
        Xml.SubElement(boxes, "Label", value=finding.key, background=BOX_COLOUR)
    for key, name in [(COVID, "COVID-19"), *((finding.key, finding.name) for finding in findings)]:
        Xml.SubElement(view, "Header", value=name, size="5")
        asked = Xml.SubElement(view, "Choices", name=key, toName=IMAGE, choice="single", showInline="true")
        for choice in choices(key):
            Xml.SubElement(asked, "Choice", value=choice)
    spans = Xml.SubElement(view, "Labels", name=MENTION, toName=CAPTION)
    for key, colour in [*((finding.key, finding.colour) for finding in findings), (COVID, COVID_COLOUR)]:
        Xml.SubElement(spans, "Label", value=key, background=colour)
    Xml.SubElement(view, "Text", name=CAPTION, value=f"${CAPTION}", granularity="symbol")
    said = Xml.SubElement(
        view, "Choices", name=ASSERTION, toName=CAPTION, perRegion="true", showInline="true"
    )
    for assertion in ASSERTIONS:
        Xml.SubElement(said, "Choice", value=assertion)
    Xml.SubElement(view, "TextArea", name=COMMENT, toName=IMAGE, placeholder="comment")
    Xml.indent(view)
    return Xml.tostring(view, encoding="unicode") + "\n"


def label_studio_tasks(
    table: pd.DataFrame,
    mentions: pd.DataFrame,
    boxes: Mapping[str, Sequence[Box]],
    findings: Sequence[str],
    *,
    size_of: Callable[[str], Size],
    image_prefix: str = LOCAL_FILES,
) -> Iterator[dict[str, Any]]:
    """One task per record, in the order of the table.

    Args:
        table: settled labels, all columns of the contract.
        mentions: columns of mentions.csv, all text.
        boxes: by image.
        size_of: width and height of an image in pixels; asked only where there are boxes, since Label
            Studio has rectangles in percent.
        image_prefix: goes before the image's path, which is percent-encoded.
    """
    of_image = {image: rows.to_dict("records") for image, rows in mentions.groupby("image", sort=False)}
    for row in table.to_dict("records"):
        image = row["image"]
        result = [
            *_labels(row, findings),
            *_spans(image, of_image.get(image, [])),
            *(_rectangles(image, boxes[image], size_of(image)) if boxes.get(image) else ()),
        ]
        names = ("patient_id", "source", "panel", CAPTION, "diagnosis", "review", "split", "flags")
        data = {
            IMAGE: image_prefix + quote(image),
            RECORD_FIELD: image,
            **{name: row[name] for name in names},
        }
        if row["review"] == "auto":
            version = f"lexicon {row['lexicon_version']}".strip()
            yield {"data": data, "predictions": [{"model_version": version, "result": result}]}
        else:
            yield {"data": data, "annotations": [{"result": result, "was_cancelled": False}]}


def _labels(row: Mapping[str, str], findings: Sequence[str]) -> Iterator[Result]:
    for key in (COVID, *findings):
        chosen = [name for name, cell in choices(key).items() if cell == row[key]]
        if chosen:
            yield _part(_name(row["image"], key), key, IMAGE, "choices", choices=chosen)


def _spans(image: str, mentions: Sequence[Mapping[str, str]]) -> Iterator[Result]:
    for number, mention in enumerate(mentions):
        name = _name(image, MENTION, number)
        place = {"start": int(mention["start"]), "end": int(mention["end"]), "text": mention["text"]}
        yield _part(name, MENTION, CAPTION, "labels", **place, labels=[mention["finding"]])
        yield _part(name, ASSERTION, CAPTION, "choices", **place, choices=[mention["assertion"]])


def _rectangles(image: str, boxes: Sequence[Box], size: Size) -> Iterator[Result]:
    width, height = size
    about = {"original_width": width, "original_height": height, "image_rotation": 0}
    for number, box in enumerate(boxes):
        place = {
            "x": 100 * box.left / width,
            "y": 100 * box.top / height,
            "width": 100 * (box.right - box.left) / width,
            "height": 100 * (box.bottom - box.top) / height,
        }
        value = {**place, "rotation": 0, "rectanglelabels": [box.finding]}
        yield about | _part(_name(image, BOX, number), BOX, IMAGE, "rectanglelabels", **value)


def _part(name: str, from_name: str, to_name: str, kind: str, **value: object) -> Result:
    return {"id": name, "from_name": from_name, "to_name": to_name, "type": kind, "value": value}


def _name(*parts: object) -> str:
    """An id that is the same in every export of the same data."""
    return sha256("\0".join(map(str, parts)).encode()).hexdigest()[:10]
