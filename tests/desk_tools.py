"""What the tests of the desk share: its database, and short ways to ask page and store."""

from __future__ import annotations

import csv
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page

from annotate.load import load
from annotate.store import Store, open_store
from annotate.store_tables import ANNOTATION, ANNOTATION_CURRENT, RECORD
from annotate.worklist import set_overlap
from benchmarks.desk_browser import at_rest, chromium_program
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns

needs_chromium = pytest.mark.skipif(chromium_program() is None, reason="Chromium is not installed here")
FINDINGS = [finding.key for finding in load_lexicon().findings]
SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> Ground glass 🫁 seen."
LONG = "No consolidation is seen in this segment. " * 2500
PATIENCE = 30.0


def desk_database(example: Path, folder: Path) -> str:
    """The example, two hard captions more, and room for many annotators."""
    url = f"sqlite:///{shutil.copy(example, folder / 'labels.db')}"
    labels = folder / "hard.csv"
    with labels.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [column.name for column in label_columns(FINDINGS)], restval="")
        writer.writeheader()
        for name, caption in (("script.png", SCRIPT), ("long.png", LONG)):
            writer.writerow({"image": name, "patient_id": name, "caption": caption, "review": "auto"})
    with closing(open_store(url)) as store:
        load(store, labels)
        with store.write() as connection:
            set_overlap(connection, None, 20)
    return url


def decisions(store: Store, annotator: str) -> list[Any]:
    query = sa.select(ANNOTATION).where(ANNOTATION.c.annotator == annotator).order_by(ANNOTATION.c.id)
    with store.read() as connection:
        return list(connection.execute(query))


def current(store: Store, annotator: str) -> int:
    query = sa.select(sa.func.count()).where(ANNOTATION_CURRENT.c.annotator == annotator)
    with store.read() as connection:
        return connection.scalar(query) or 0


def record_id(store: Store, image: str) -> int:
    with store.read() as connection:
        return int(connection.scalar(sa.select(RECORD.c.id).where(RECORD.c.image == image)) or 0)


def shown(page: Page) -> int:
    return int(page.get_attribute(".desk", "data-record") or 0)


def all_saved(page: Page) -> None:
    page.wait_for_selector(".save-light.good", timeout=PATIENCE * 1000)


def cell(page: Page, finding: str) -> str | None:
    return page.get_attribute(f".chip[data-finding={finding}]", "data-cell")


def queued(page: Page) -> list[int]:
    return list(page.evaluate("document.querySelector('.desk-mount').desk.queue.map((work) => work.id)"))


def opened(page: Page, record: int) -> None:
    page.evaluate(f"document.querySelector('.desk-mount').desk.open({record})")
    page.wait_for_selector(f".desk[data-record='{record}']", timeout=PATIENCE * 1000)
    at_rest(page)


def leave(page: Page) -> None:
    page.context.close()


def seen(page: Page) -> None:
    """Wait for the image."""
    page.wait_for_function("document.querySelector('.canvas img')?.naturalWidth > 0", timeout=PATIENCE * 1000)
