"""How long "See what changes" takes on the Rules page: ``python -m benchmarks.rules``.

Captions of real sentences are labelled, loaded into SQLite, and each kind of edit is previewed with the reader of
the edited lexicon built anew, as on a press of the button. Every preview is compared with reading all captions.
"""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from annotate.lexicon_edit import rows_of, text_of, with_term
from annotate.lexicon_versions import own_version
from annotate.load import load
from annotate.reread import read_again, stored_records
from annotate.rule_changes import Preview, changed_cells
from annotate.rule_preview import Previewer
from annotate.store import Store, open_store
from annotate.store_tables import RECORD
from benchmarks.common import parser, peak_megabytes, references, write_result
from benchmarks.texts import distinct_captions, recombined_captions
from nlp.command import run_command
from nlp.errors import ToolkitError
from nlp.extract import extract
from nlp.score_report import format_table

TARGET_SECONDS = 2.0
MAKERS = {"distinct": distinct_captions, "captions": recombined_captions}
Files = dict[str, str]


def edits() -> dict[str, Files]:
    """Edited lexicons by what was done."""
    files = dict(own_version().files)
    terms = files["terms.csv"]
    return {
        "a new term": files | {"terms.csv": with_term(terms, "ground_glass_opacity", "patchy shadow")},
        "a term removed": _without(files, "terms.csv", "consolidation"),
        "the commonest term removed": _without(files, "terms.csv", "ground_glass_opacity"),
        "a new cue": files
        | {"cues.csv": files["cues.csv"] + "hint of,cue,uncertain,forward,,possibility_before,\n"},
        "the commonest cue removed": _without(files, "cues.csv", "no"),
        "a changed spelling": _without(files, "spellings.csv", "interlobular"),
        "a new word of a class": files | {"words.csv": files["words.csv"] + "opacity,whitening,\n"},
    }


def _without(files: Files, name: str, first: str) -> Files:
    """The files without the first row whose first cell is this."""
    rows = rows_of(files[name])
    place = next(number for number, row in enumerate(rows) if next(iter(row.values())) == first)
    return files | {name: text_of(name, [*rows[:place], *rows[place + 1 :]], files[name])}


def fill(store: Store, texts: Sequence[str], folder: Path) -> None:
    """Label texts and load them."""
    import pandas as pd

    numbers = [f"{number:06}.png" for number in range(len(texts))]
    table = pd.DataFrame({"image": numbers, "patient_id": numbers, "caption": texts})
    table.to_csv(folder / "captions.csv", index=False)
    extract(folder / "captions.csv", output=folder / "labels.csv")
    load(store, folder / "labels.csv")


def measured(previewer: Previewer, files: Files, repeats: int) -> tuple[dict[str, float], Preview]:
    """Median seconds of previews, each with a reader built anew, and CPU seconds, which a busy machine moves less."""
    seconds, cpu = [], []
    for _ in range(repeats):
        previewer.readers.clear()
        before, used = time.perf_counter(), time.process_time()
        preview = previewer.preview(files)
        seconds.append(time.perf_counter() - before)
        cpu.append(time.process_time() - used)
    return {"seconds": statistics.median(seconds), "cpu_seconds": statistics.median(cpu)}, preview


def check(previewer: Previewer, files: Files, preview: Preview) -> None:
    """Compare with reading every record.

    Raises:
        ToolkitError: they differ.
    """
    from annotate.lexicon_versions import load_files

    store = previewer.store
    reader = previewer.reader(load_files(files, store.findings)).reader
    with store.read() as connection:
        records = list(stored_records(connection, connection.scalars(sa.select(RECORD.c.id)).all()))
    pairs = zip(records, read_again(records, reader, covid=True), strict=True)
    cells = {record.id: changed_cells(record.labels, read.labels) for record, read in pairs}
    if {number: each for number, each in cells.items() if each} != {
        c.record_id: c.cells for c in preview.changes
    }:
        raise ToolkitError("the preview differs from reading every record")


def run(options: Namespace) -> None:
    """Measure, print and write."""
    texts = [row.text for table in references(options.data).values() for row in table.rows if row.text]
    results = {name: _run_set(make(texts, options.rows), options) for name, make in MAKERS.items()}
    write_result("rules", {"rows": options.rows, "target_seconds": TARGET_SECONDS, "sets": results})


def _run_set(texts: Sequence[str], options: Namespace) -> Mapping[str, Any]:
    with TemporaryDirectory() as folder, closing(open_store(str(Path(folder) / "labels.db"))) as store:
        fill(store, texts, Path(folder))
        previewer = Previewer(store)
        before = time.perf_counter()
        previewer.prepare()
        prepared = time.perf_counter() - before
        rows: dict[str, Any] = {}
        for name, files in edits().items():
            times, preview = measured(previewer, files, options.repeats)
            check(previewer, files, preview)
            rows[name] = {**times, "read": preview.read, "changed": len(preview.changes)}
    table = [("edit", "median s", "CPU s", "captions read", "records changed")]
    table += [
        (n, f"{r['seconds']:.2f}", f"{r['cpu_seconds']:.2f}", f"{r['read']:,}", f"{r['changed']:,}")
        for n, r in rows.items()
    ]
    print(
        f"\n{len(texts):,} captions, ready after {prepared:.1f} s; target {TARGET_SECONDS:.0f} s\n{format_table(table)}"
    )
    return {"prepare_seconds": prepared, "peak_megabytes": peak_megabytes(), "edits": rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit code."""
    options = parser("Measure how long the preview of an edited lexicon takes.")
    options.add_argument("--rows", type=int, default=20_000, help="captions (20000)")
    options.add_argument("--repeats", type=int, default=3, help="previews of each edit (3)")
    return run_command(options, run, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
