"""Labels made in Label Studio into the database: ``python -m annotate.import_label_studio export.json``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp.command import run_command
from nlp.errors import InputError, StoreError

if TYPE_CHECKING:  # sqlalchemy loads inside the functions: --help must not wait for it
    import sqlalchemy as sa

    from annotate.label_studio_decisions import Job
    from annotate.store import Store
    from nlp.entries import Finding

_LISTED = 100


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        saved: decisions that are new; ``repeated`` were imported before.
        cancelled: annotations that were skipped in Label Studio, and left out.
        unlabelled: tasks without an annotation.
    """

    tasks: int
    saved: int
    repeated: int
    cancelled: int
    unlabelled: int
    annotators: tuple[str, ...]


def import_label_studio(
    store: Store,
    tasks: Sequence[Any],
    findings: Sequence[Finding],
    *,
    annotator: str | None,
    now: float,
    images: Path | None = None,
) -> Imported:
    """Save every annotation as a decision of its annotator; all of them or none, and each only once.

    Args:
        tasks: as ``read_tasks`` gives them.
        annotator: whose labels they are; by default who ``completed_by`` says, one person each.
        now: Unix time in seconds.
        images: image folder; by default the one that was loaded last.

    Raises:
        StoreError: lists every task without a record, and everything in annotations that has no place here.
    """
    from annotate.label_studio_decisions import decide
    from annotate.label_studio_records import read_records

    with store.write() as connection:
        found = decide(
            tasks, read_records(connection, images or store.image_folder()), findings, annotator=annotator
        )
        if found.problems:
            raise StoreError(_listing(found.problems))
        statuses = _save(connection, store.findings, found.jobs, now)
    return Imported(
        tasks=len(tasks),
        saved=statuses.count("saved"),
        repeated=statuses.count("repeated"),
        cancelled=found.cancelled,
        unlabelled=found.unlabelled,
        annotators=tuple(sorted({job.annotator for job in found.jobs})),
    )


def read_tasks(path: Path) -> list[dict[str, Any]]:
    """The tasks of an export in Label Studio's form "JSON".

    Raises:
        InputError: unreadable, or of another form.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise InputError(
            f"{path} is no JSON; export the project from Label Studio in the form JSON"
        ) from None
    if not isinstance(tasks, list) or not all(_is_task(task) for task in tasks):
        raise InputError(
            f"{path} is not a list of tasks with data and annotations; export from Label Studio in the form JSON,"
            " not JSON-MIN or CSV"
        )
    return tasks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(_parser(), _command, arguments)


def _is_task(task: object) -> bool:
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        return False
    found = task.get("annotations", [])
    return isinstance(found, list) and all(isinstance(each, dict) for each in found)


def _save(connection: sa.Connection, findings: Sequence[str], jobs: Sequence[Job], now: float) -> list[str]:
    from annotate.decisions import save
    from annotate.label_studio_records import current_annotation
    from annotate.people import add_user

    statuses: list[str] = []
    refused: list[str] = []
    for name in dict.fromkeys(job.annotator for job in jobs):
        add_user(connection, name, now=now)
    for job in jobs:
        base = current_annotation(connection, job.decision.record_id, job.annotator)
        (ack,) = save(connection, findings, job.annotator, [replace(job.decision, base=base)], now=now)
        statuses.append(ack.status)
        if ack.status not in ("saved", "repeated"):
            refused.append(f"{job.where}: {ack.message}")
    if refused:
        raise StoreError(_listing(refused))
    return statuses


def _listing(problems: Sequence[str]) -> str:
    more = [f"... and {len(problems) - _LISTED:,} more"] if len(problems) > _LISTED else []
    heading = f"nothing was imported; {len(problems):,} parts of the export have no place in this database:"
    return "\n".join([heading, *problems[:_LISTED], *more])


def _lines(done: Imported) -> Iterator[str]:
    yield f"tasks: {done.tasks:,}"
    yield f"decisions saved: {done.saved:,} (imported before: {done.repeated:,})"
    yield f"skipped in Label Studio: {done.cancelled:,}; tasks without an annotation: {done.unlabelled:,}"
    yield f"annotators: {', '.join(done.annotators) or 'none'}"


def _command(options: argparse.Namespace) -> None:
    from annotate.store import DEFAULT_URL, open_store
    from nlp.lexicon import load_lexicon

    tasks = read_tasks(options.export)
    known = load_lexicon(options.lexicon).findings
    with closing(open_store(options.db or DEFAULT_URL, create=False)) as store:
        findings = [finding for finding in known if finding.key in store.findings]
        done = import_label_studio(
            store, tasks, findings, annotator=options.annotator, now=time.time(), images=options.images
        )
    print("\n".join(_lines(done)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m annotate.import_label_studio",
        description="Take labels made in Label Studio into the database, as decisions of their annotators.",
        epilog="Findings without a choice, a box or a span are absent: the person has seen the image.",
    )
    add = parser.add_argument
    add("export", type=Path, help="a project's export in the form JSON")
    add("--db", metavar="URL", help="the database (labels.db in this folder)")
    add("--images", metavar="DIR", type=Path, help="the image folder (default: the one that was loaded)")
    add("--annotator", metavar="NAME", help="whose labels they are (default: who completed each of them)")
    add("--lexicon", metavar="DIR", type=Path, help="folder with your own lexicon")
    return parser


if __name__ == "__main__":
    sys.exit(main())
