"""Annotations of Label Studio as decisions of their annotators, or the list of what keeps them from being that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from annotate.decision_forms import Decision, parse_decision
from annotate.label_studio import RECORD_FIELD
from annotate.label_studio_records import Known, Records
from annotate.label_studio_results import Said, finding_names, read_result
from annotate.people import check_name
from nlp.entries import Finding
from nlp.errors import StoreError
from nlp.schema import COVID


@dataclass(frozen=True)
class Job:
    """One annotation to save: where it stands in the export, whose it is, and what it decides."""

    where: str
    annotator: str
    decision: Decision


@dataclass
class Decided:
    """All of an export: jobs in the order they were made, what is wrong, and what was left out."""

    jobs: list[Job] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cancelled: int = 0
    unlabelled: int = 0


def decide(
    tasks: Sequence[Mapping[str, Any]],
    records: Records,
    findings: Sequence[Finding],
    *,
    annotator: str | None = None,
) -> Decided:
    """Find each task's record and read what its annotations say.

    Args:
        annotator: whose labels they are; by default who completed each.
    """
    found = Decided()
    for number, task in enumerate(tasks, start=1):
        where = f"task {task.get('id', number)}"
        annotations = task.get("annotations", [])
        done = sorted((each for each in annotations if not each.get("was_cancelled")), key=_when)
        found.cancelled += len(annotations) - len(done)
        found.unlabelled += not annotations
        known, problem = records.find(task["data"])
        if known is None:
            found.problems.append(f"{where}: {problem}")
        elif annotator and len(done) > 1:
            found.problems.append(
                f"{where}: {len(done)} annotations would become one person's: leave out --annotator"
            )
        else:
            for each in done:
                place = f"{where}, annotation {each.get('id')}"
                ours = RECORD_FIELD in task["data"]
                _decide_one(place, each, known, records, findings, annotator, found, ours=ours)
    return found


def _when(annotation: Mapping[str, Any]) -> tuple[str, str]:
    return str(annotation.get("updated_at") or annotation.get("created_at")), str(annotation.get("id"))


def _decide_one(
    where: str,
    annotation: Mapping[str, Any],
    known: Known,
    records: Records,
    findings: Sequence[Finding],
    annotator: str | None,
    found: Decided,
    *,
    ours: bool,
) -> None:
    size_of = partial(records.size_of, known)
    said = read_result(annotation.get("result"), finding_names(findings), known.caption, size_of)
    name = annotator or _name(annotation.get("completed_by"))
    problems = said.problems if name else [*said.problems, "completed_by is blank: say who with --annotator"]
    if not problems:
        keys = [finding.key for finding in findings]
        try:
            check_name(name)
            decision = parse_decision(_raw(annotation, known, name, said, keys, ours=ours), keys)
            found.jobs.append(Job(where, name, decision))
        except StoreError as error:
            problems = [str(error)]
    found.problems += [f"{where}: {problem}" for problem in problems]


def _raw(
    annotation: Mapping[str, Any],
    known: Known,
    name: str,
    said: Said,
    findings: Sequence[str],
    *,
    ours: bool,
) -> dict[str, Any]:
    """The decision as a browser would send it; its op_id follows from what it says, so that it is saved once.

    Args:
        ours: the task was exported here, with its mentions.
    """
    mentions = known.mentions_of(said.mentions, shown=ours)
    raw = {
        "action": "confirm",
        "labels": {COVID: known.labels[COVID], **dict.fromkeys(findings, ""), **said.labels},
        "mentions": mentions,
        "boxes": [asdict(box) for box in said.boxes],
        "comment": said.comment,
        "record_id": known.id,
    }
    content = json.dumps([known.image, annotation.get("id"), name, raw], sort_keys=True, default=str)
    lead = annotation.get("lead_time")
    milliseconds = round(1000 * lead) if isinstance(lead, int | float) and lead >= 0 else None
    op_id = f"label-studio.{sha256(content.encode()).hexdigest()[:40]}"
    return raw | {"op_id": op_id, "milliseconds": milliseconds}


def _name(completed_by: object) -> str:
    """Who labelled: an e-mail address where the export has it, else the number of the user there."""
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("id") or "")
    if isinstance(completed_by, int):
        return f"label-studio-{completed_by}"
    return completed_by if isinstance(completed_by, str) else ""
