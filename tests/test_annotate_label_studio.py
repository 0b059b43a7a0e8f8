"""Label Studio and back: tasks it can show, and labels made there as decisions here."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import sqlalchemy as sa

from annotate.decision_forms import Box, Decision
from annotate.decisions import save
from annotate.export import export
from annotate.export_data import read_data
from annotate.export_files import Form, Places
from annotate.import_label_studio import import_label_studio, main, read_tasks
from annotate.label_studio import label_studio_tasks, labelling_config
from annotate.people import add_user
from annotate.store import Store
from annotate.store_tables import ANNOTATION, RECORD
from nlp.command import DONE, FAILED
from nlp.errors import InputError, StoreError
from nlp.lexicon import load_lexicon
from nlp.schema import COVID

LEXICON = load_lexicon()
FINDINGS = LEXICON.findings
KEYS = LEXICON.finding_keys
GGO, CSLD = KEYS[:2]
CANARY = "canarywords"
Task = dict[str, Any]


def exported(store: Store, folder: Path) -> list[Task]:
    target = folder / "tasks.json"
    export(read_data(store), LEXICON, Places(target), Form("label-studio"), now=0)
    return read_tasks(target)


def annotated(tasks: Sequence[Task], by: object = 3) -> list[Task]:
    """As if a person had accepted every prediction."""
    done = copy.deepcopy(list(tasks))
    for number, task in enumerate(done, start=1):
        result = task.pop("predictions", task.get("annotations", []))[0]["result"]
        made = {
            "id": 100 + number,
            "completed_by": by,
            "result": result,
            "was_cancelled": False,
            "lead_time": 1.5,
        }
        task |= {"id": number, "annotations": [made]}
    return done


def take(store: Store, tasks: Sequence[Task], annotator: str | None = None) -> tuple[int, int]:
    done = import_label_studio(store, tasks, FINDINGS, annotator=annotator, now=time.time())
    return done.saved, done.repeated


def decisions(store: Store) -> list[sa.Row[Any]]:
    with store.read() as connection:
        return list(connection.execute(ANNOTATION.select().order_by(ANNOTATION.c.id)))


def row_of(store: Store, image: str) -> sa.Row[Any]:
    with store.read() as connection:
        return connection.execute(RECORD.select().where(RECORD.c.image == image)).one()


def choose(task: Task, block: str, choice: str) -> None:
    part = {"type": "choices", "from_name": block, "to_name": "image", "value": {"choices": [choice]}}
    task["annotations"][0]["result"].append(part)


# ---- export


def test_label_studio_config_offers_every_finding_and_assertion() -> None:
    view = ElementTree.fromstring(labelling_config(FINDINGS))
    names = {part.get("name") for part in view.iter() if part.get("name")}
    assert {"image", "caption", "box", "mention", "assertion", COVID, *KEYS} <= names
    assert {part.get("toName") for part in view.iter() if part.get("toName")} == {"image", "caption"}
    assert [each.get("value") for each in view.findall("RectangleLabels/Label")] == list(KEYS)


def test_label_studio_tasks_hold_text_spans_choices_and_boxes(example_store: Store, tmp_path: Path) -> None:
    record = row_of(example_store, "fig01-a.png")
    with example_store.write() as connection:
        add_user(connection, "anna", now=0)
        boxes = (Box(GGO, 10, 20, 40, 60),)
        decision = Decision("op-00000001", record.id, "confirm", record.labels, boxes=boxes)
        save(connection, KEYS, "anna", [decision], now=0)
    tasks = {task["data"]["record"]: task for task in exported(example_store, tmp_path)}
    task = tasks["fig01-a.png"]
    assert len(tasks) == 85 and "annotations" in task and "predictions" in tasks["c01-1.jpg"]
    assert task["data"]["image"] == "/data/local-files/?d=fig01-a.png"
    parts = task["annotations"][0]["result"]
    for part in parts:
        if "start" in part["value"]:
            value = part["value"]
            assert record.caption[value["start"] : value["end"]] == value["text"]
    (box,) = [part for part in parts if part["type"] == "rectanglelabels"]
    width, height = box["original_width"], box["original_height"]
    sides = [box["value"][name] for name in ("x", "y", "width", "height")]
    assert sides == pytest.approx([1000 / width, 2000 / height, 3000 / width, 4000 / height])
    chosen = {
        part["from_name"]: part["value"]["choices"]
        for part in parts
        if part["to_name"] == "image" and part["type"] == "choices"
    }
    assert chosen[GGO] == ["present"] and chosen[COVID] == ["confirmed"]


def test_label_studio_tasks_encode_the_names_of_images() -> None:
    names = (
        "patient_id",
        "source",
        "panel",
        "caption",
        "diagnosis",
        "review",
        "split",
        "flags",
        "lexicon_version",
    )
    table = pd.DataFrame([{"image": "CT/a%1 b.png", COVID: "", **dict.fromkeys((*KEYS, *names), "")}]).assign(
        review="auto"
    )
    mentions = pd.DataFrame(columns=["image"], dtype=object)
    (task,) = label_studio_tasks(table, mentions, {}, KEYS, size_of=lambda image: (1, 1))
    assert task["data"]["image"] == "/data/local-files/?d=CT/a%251%20b.png"


# ---- there and back


def test_label_studio_import_of_what_was_exported_confirms_it(example_store: Store, tmp_path: Path) -> None:
    before = read_data(example_store)
    tasks = annotated(exported(example_store, tmp_path))
    assert take(example_store, tasks) == (85, 0)
    after = read_data(example_store)
    for key in (COVID, *KEYS):
        blank = "" if key == COVID else "0"
        assert after.table[key].tolist() == [cell or blank for cell in before.table[key]]
    assert set(after.table["review"]) == {"confirmed"}
    assert after.marks.mentions.equals(before.marks.mentions) and after.marks.edited == 0
    assert {row.annotator for row in decisions(example_store)} == {"label-studio-3"}
    assert {row.milliseconds for row in decisions(example_store)} == {1500}
    assert take(example_store, tasks) == (0, 85)  # again: nothing new
    assert len(decisions(example_store)) == 85


def test_label_studio_import_keeps_boxes_spans_and_reasons(example_store: Store, tmp_path: Path) -> None:
    tasks = annotated(exported(example_store, tmp_path)[:40])
    task = next(each for each in tasks if each["data"]["record"] == "fig01-a.png")
    caption = task["data"]["caption"]
    at = caption.index("bilateral")
    value = {"start": at, "end": at + 9, "text": "bilateral", "labels": [CSLD]}
    box = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": [GGO]}
    task["annotations"][0]["result"] += [
        {"id": "new", "type": "labels", "from_name": "mention", "to_name": "caption", "value": value},
        {"id": "box", "type": "rectanglelabels", "from_name": "box", "to_name": "image", "value": box},
    ]
    take(example_store, [task], "bea")
    (row,) = decisions(example_store)
    reasons = {(mention["start"], mention["finding"]): mention["rule"] for mention in row.mentions}
    assert reasons.pop((at, CSLD)) == "annotator"
    assert reasons and "annotator" not in reasons.values()  # the others keep what decided them
    assert row.annotator == "bea" and len(row.boxes) == 1 and row.boxes[0]["finding"] == GGO
    again = {each["data"]["record"]: each for each in exported(example_store, tmp_path)}["fig01-a.png"]
    (rectangle,) = [
        part["value"] for part in again["annotations"][0]["result"] if part["type"] == "rectanglelabels"
    ]
    assert [rectangle[name] for name in ("x", "y", "width", "height")] == pytest.approx(
        [0, 0, 50, 50], abs=0.01
    )


def test_label_studio_import_deletes_spans_only_where_they_were_shown(
    example_store: Store, tmp_path: Path
) -> None:
    tasks = annotated(exported(example_store, tmp_path)[:40])
    ours = next(each for each in tasks if each["data"]["record"] == "fig01-a.png")
    result = ours["annotations"][0]["result"]
    result[:] = [part for part in result if part["to_name"] != "caption"]
    foreign = copy.deepcopy(ours) | {"data": {"image": "s3://bucket/fig01-a.png"}}
    take(example_store, [ours], "bea")
    take(example_store, [foreign], "carl")
    assert [row.mentions for row in decisions(example_store)] == [[], None]


def test_label_studio_import_takes_changes_and_several_people(example_store: Store, tmp_path: Path) -> None:
    tasks = annotated(exported(example_store, tmp_path)[:1], by={"id": 4, "email": "anna@example.org"})
    second = copy.deepcopy(tasks[0]["annotations"][0]) | {
        "id": 7,
        "completed_by": {"email": "bea@example.org"},
    }
    tasks[0]["annotations"].append(second)
    assert take(example_store, tasks) == (2, 0)
    choose(tasks[0], GGO, "uncertain")
    assert take(example_store, tasks) == (1, 1)  # anna changed hers there
    rows = decisions(example_store)
    assert [row.annotator for row in rows] == ["anna@example.org", "bea@example.org", "anna@example.org"]
    assert rows[2].labels[GGO] == "-1" and rows[2].supersedes == rows[0].id
    with pytest.raises(StoreError, match="2 annotations would become one person's"):
        take(example_store, tasks, "anna")


@pytest.mark.parametrize(
    "data",
    [
        {"image": "/data/local-files/?d=set/fig01-a.png"},
        {"image": "/data/upload/3/1a2b3c4d-fig01-a.png"},
        {"image": "s3://bucket/folder/fig01-a.png"},
        {"ct": "https://example.org/fig01-a.png?token=1", "words": "text"},
        {"image": "fig01-a"},
    ],
)
def test_label_studio_import_finds_records_by_any_address(example_store: Store, data: dict[str, str]) -> None:
    task = {"id": 1, "data": data, "annotations": [{"id": 1, "completed_by": 1, "result": []}]}
    assert take(example_store, [task]) == (1, 0)
    (row,) = decisions(example_store)
    assert row.record_id == row_of(example_store, "fig01-a.png").id
    assert {row.labels[key] for key in KEYS} == {"0"} and row.labels[COVID] == "1"


def test_label_studio_import_lists_everything_wrong_and_writes_nothing(
    example_store: Store, tmp_path: Path
) -> None:
    tasks = annotated(exported(example_store, tmp_path)[:5])
    tasks[0]["data"] = {"image": "gone.png", "text": CANARY}
    choose(tasks[1], "quality", "good")
    tasks[2]["annotations"][0]["completed_by"] = None
    span = {"start": 0, "end": 4, "text": CANARY, "labels": [GGO]}
    tasks[3]["annotations"][0]["result"].append({"id": "x", "type": "labels", "value": span})
    with pytest.raises(StoreError) as caught:
        take(example_store, tasks)
    said = str(caught.value)
    assert said.startswith("nothing was imported; 4 parts")
    assert "task 1: no record has its image; its data names 'gone.png'" in said
    assert "task 2, annotation 102: choice 'good' of 'quality' is unknown" in said
    assert "task 3, annotation 103: completed_by is blank: say who with --annotator" in said
    assert "task 4, annotation 104: a span" in said and CANARY not in said
    assert decisions(example_store) == []


def test_label_studio_import_leaves_out_what_was_skipped_there(example_store: Store, tmp_path: Path) -> None:
    tasks = annotated(exported(example_store, tmp_path)[:3])
    tasks[0]["annotations"][0]["was_cancelled"] = True
    tasks[1]["annotations"] = []
    done = import_label_studio(example_store, tasks, FINDINGS, annotator=None, now=0)
    assert (done.tasks, done.saved, done.cancelled, done.unlabelled) == (3, 1, 1, 1)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"image": "a.png", "finding": "x"}]', "\xff"])
def test_label_studio_import_says_which_form_it_reads(tmp_path: Path, content: str) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match="in the form JSON"):
        read_tasks(path)


def test_label_studio_import_command(
    example_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(annotated(exported(example_store, tmp_path)[:2])))
    url = example_store.engine.url.render_as_string(hide_password=False)
    assert main([str(path), "--db", url, "--annotator", "anna"]) == DONE
    assert "decisions saved: 2 (imported before: 0)" in capsys.readouterr().out
    assert main([str(path), "--db", url, "--annotator", "imported"]) == FAILED
    assert "is kept for labels that came with a table" in capsys.readouterr().err
    assert main([str(tmp_path / "none.json"), "--db", url]) == FAILED
    assert "cannot be read: No such file" in capsys.readouterr().err
