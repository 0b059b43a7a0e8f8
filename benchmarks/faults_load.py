"""Many annotators at once, against the real app on loopback."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from annotate.people import add_user
from annotate.store import open_store
from annotate.store_tables import ANNOTATION
from annotate.tokens import issue_token
from benchmarks.desk_browser import Server, serving
from benchmarks.faults_common import Fault
from benchmarks.store import filled

PAUSE = 0.5
"""Seconds an annotator looks at a record: quicker than people are."""
_FLAT_MEGABYTES = 50.0
_AT_ONCE = 8


@dataclass
class Seen:
    """What an annotator saw: milliseconds of each save, answers that were no save, and records done."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def many_annotators(folder: Path, *, people: int, seconds: float, records: int) -> Fault:
    """Each annotator fetches records and saves a decision on each, one request a key, as the desk does."""
    url = f"sqlite:///{folder / 'load.db'}"
    filled(url, folder, records, 1)[0].close()
    with closing(open_store(url)) as store:
        with store.write() as connection:
            for number in range(people):
                add_user(connection, f"person{number}")
        tokens = [issue_token(store.secret(), f"person{number}") for number in range(people)]
    with serving(url, folder / "load.log") as server:
        seen, memory = _work(server, tokens, seconds)
    with closing(open_store(url, create=False)) as store, store.read() as connection:
        query = sa.select(sa.func.count(), sa.func.count(sa.distinct(ANNOTATION.c.record_id)))
        stored, distinct = connection.execute(query).one()
    times = [each for one in seen for each in one.milliseconds]
    errors = [error for one in seen for error in one.errors]
    growth = memory[-1] - memory[len(memory) // 4]
    return Fault(
        what=f"{people} annotators for {seconds:.0f} s on {records:,} records",
        how=f"the app on loopback, one save for each record, {PAUSE} s to look at it; SQLite; in `make faults` beside the other faults",
        tried=len(times),
        target="0 errors, no record twice, memory flat",
        held=not errors and stored == distinct == len(times) and growth < _FLAT_MEGABYTES,
        found={
            "saves": len(times),
            "errors": len(errors),
            "kinds_of_error": sorted(set(errors))[:5],
            "stored": stored,
            "saves_per_second": round(len(times) / seconds, 1),
            "p50_ms": round(float(np.percentile(times, 50)), 1) if times else None,
            "p95_ms": round(float(np.percentile(times, 95)), 1) if times else None,
            "megabytes_at_a_quarter": round(memory[len(memory) // 4]),
            "megabytes_at_the_end": round(memory[-1]),
        },
    )


def _work(server: Server, tokens: list[str], seconds: float) -> tuple[list[Seen], list[float]]:
    ends = time.monotonic() + seconds
    seen = [Seen() for _ in tokens]
    threads = [
        threading.Thread(target=_annotate, args=(server.port, token, ends, one))
        for token, one in zip(tokens, seen, strict=True)
    ]
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        memory.append(server.megabytes())
        time.sleep(min(1.0, seconds / 10))
    return seen, [*memory, server.megabytes()]


def _annotate(port: int, token: str, ends: float, seen: Seen) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    held: list[Mapping[str, Any]] = []
    while time.monotonic() < ends:
        if not held:
            _, answer = _ask(connection, token, "next", {"count": _AT_ONCE})
            held = list(answer.get("records", ()))
            if not held:
                seen.errors.append(f"no records: {sorted(answer)}")
                time.sleep(PAUSE)
                continue
        time.sleep(PAUSE)
        begun = time.perf_counter()
        status, answer = _ask(connection, token, "save", {"operations": [_decision(held.pop())]})
        taken = 1000 * (time.perf_counter() - begun)
        said = [ack["status"] for ack in answer.get("acks", ())]
        if status == 200 and said == ["saved"]:
            seen.milliseconds.append(taken)
        else:
            seen.errors.append(f"{status} {said}")
    connection.close()


def _decision(record: Mapping[str, Any]) -> dict[str, Any]:
    usual = {
        "action": "confirm",
        "mentions": None,
        "boxes": [],
        "comment": "",
        "flagged": False,
        "base": None,
    }
    about = {"op_id": uuid.uuid4().hex, "record_id": record["id"], "labels": record["labels"]}
    return {**usual, **about, "milliseconds": int(1000 * PAUSE)}


def _ask(
    connection: http.client.HTTPConnection, token: str, path: str, body: Mapping[str, Any]
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"/desk/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        return 0, {"error": type(error).__name__}
