"""The commands that write tables and databases, as they are run on a full disk; what they read lies on another."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import ROOT
from benchmarks.faults_disk import Command

if TYPE_CHECKING:
    from annotate.store import Store

EXAMPLES = ROOT / "examples"
NOT_HERE = {
    "nlp.lexicon": "writes nothing",
    "examples.open_app": "writes by nlp.extract and annotate.load, then opens the app",
}
"""Commands that are not tried on a full disk, and why."""
_OUT = "{out}/"


def command(name: str, *arguments: object, variant: str = "", **places: object) -> Command:
    """A command by the name of its module; ``variant`` tells it from others of that module."""
    main = import_module(name).main
    return Command(f"{name} {variant}".strip(), main, tuple(map(str, arguments)), **places)  # type: ignore[arg-type]


def example_commands(folder: Path) -> list[Command]:
    """The commands of nlp and annotate on the example set."""
    labels, mentions, database = _example(folder)
    return [
        *_text_commands(labels),
        *_store_commands(folder, labels, mentions, database),
        *_export_commands(database),
        command("examples.draw", "--sheet", f"{_OUT}sheet.png", results=("sheet.png",)),
    ]


def spark_commands(folder: Path) -> list[Command]:
    """Spark, whose Java writes; none where there is no Java, or no Spark."""
    from importlib.util import find_spec

    if shutil.which("java") is None or find_spec("pyspark") is None:
        return []
    import pyarrow.csv
    import pyarrow.parquet

    few = "--conf spark.sql.shuffle.partitions=2 --conf spark.ui.enabled=false pyspark-shell"
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", few)  # for a hundred rows, not for a cluster
    captions = folder / "captions.parquet"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(EXAMPLES / "captions.csv"), captions)
    return [command("nlp.extract_spark", captions, f"{_OUT}new", "--master", "local[2]")]


def _example(folder: Path) -> tuple[Path, Path, Path]:
    """Labels, mentions, and a database of them that one person worked in."""
    from annotate.load import load
    from annotate.people import add_user
    from annotate.store import open_store
    from nlp.extract import extract

    labels, mentions, database = folder / "labels.csv", folder / "mentions.csv", folder / "full.db"
    extract(EXAMPLES / "captions.csv", output=labels, mentions=mentions, columns={"covid": "covid19"})
    with closing(open_store(str(database))) as store:
        load(store, labels, mentions=mentions, images=EXAMPLES / "images", overlap=2)
        with store.write() as connection:
            for name in ("anna", "bea"):
                add_user(connection, name)
        _read(store)
    return labels, mentions, database


def _read(store: Store) -> None:
    """Two people confirm ten records each."""
    from tests.made_decisions import decision, keep

    for name in ("anna", "bea"):
        keep(store, name, *(decision(store, number) for number in range(1, 11)))


def _text_commands(labels: Path) -> Iterator[Command]:
    captions, published = EXAMPLES / "captions.csv", labels.with_name("published.csv")
    published.write_text("Path,Consolidation\n" + "".join(f"patient{n}/a.png,1.0\n" for n in range(300)))
    yield command(
        "nlp.extract",
        *(captions, "-o", f"{_OUT}l.csv", "--mentions", f"{_OUT}m.csv", "--html", f"{_OUT}p.html"),
        results=("l.csv", "m.csv", "l.rejected.csv", "p.html"),
    )
    yield command(
        "nlp.extract",
        *(captions, "-o", f"{_OUT}l.parquet", "--mentions", f"{_OUT}m.parquet"),
        variant="as Parquet",
        results=("l.parquet", "m.parquet", "l.rejected.csv"),
    )
    yield command(
        "nlp.evaluate",
        *(labels, EXAMPLES / "captions_reference.csv"),
        *("--json", f"{_OUT}e.json", "--disagreements", f"{_OUT}d.csv"),
        results=("e.json", "d.csv"),
    )
    yield command("annotate.convert", "chexpert", published, "-o", f"{_OUT}c.csv", results=("c.csv",))
    yield command("annotate.split", labels, "-o", f"{_OUT}s.csv", results=("s.csv",))


def _store_commands(folder: Path, labels: Path, mentions: Path, database: Path) -> Iterator[Command]:
    from annotate.backup import backup
    from annotate.store import open_store

    safe, seal, tasks = folder / "safe.db", folder / "safe.db.json", folder / "tasks.json"
    with closing(open_store(str(database), create=False)) as store:
        backup(store, safe, now=0.0)
    tasks.write_text(json.dumps(_labelled_elsewhere(database, folder / "drawn.json")))
    loading = (labels, "--mentions", mentions, "--images", EXAMPLES / "images", "--db", f"{_OUT}a.db")
    yield command("annotate.load", *loading)
    yield command(
        "annotate.load", *loading, "--overlap", 3, variant="into a database", before={"a.db": database}
    )
    yield command(
        "annotate.import_label_studio",
        *(tasks, "--annotator", "carl", "--db", f"{_OUT}a.db"),
        before={"a.db": database},
    )
    yield command("annotate.restore", safe, "--db", f"{_OUT}r.db")
    yield command(
        "annotate.backup",
        *("--db", database, "-o", f"{_OUT}b.db"),
        before={"b.db": safe, "b.db.json": seal},
    )
    yield command(
        "annotate.agreement",
        *("--db", database, "--json", f"{_OUT}a.json", "--csv", f"{_OUT}a.csv"),
        results=("a.json", "a.csv"),
    )


def _labelled_elsewhere(database: Path, target: Path) -> list[object]:
    """The first ten tasks as if somebody had accepted their predictions in Label Studio."""
    import annotate.export

    annotate.export.main(["--db", str(database), "-o", str(target), "--format", "label-studio"])
    tasks = json.loads(target.read_text())[:10]
    for number, task in enumerate(tasks):
        made = (task.pop("predictions", None) or task["annotations"])[0]
        task["annotations"] = [{"id": number, "completed_by": 1, "result": made["result"]}]
    return list(tasks)


def _export_commands(database: Path) -> Iterator[Command]:
    name, db = "annotate.export", ("--db", database)
    tables = (
        "-o",
        f"{_OUT}e.csv",
        "--mentions",
        f"{_OUT}em.csv",
        "--boxes",
        f"{_OUT}eb.csv",
        "--spreadsheet",
    )
    yield command(name, *db, *tables, results=("e.csv", "em.csv", "eb.csv", "e.manifest.json"))
    for form, target in (("chexpert", "x.csv"), ("label-studio", "t.json")):
        yield command(
            name,
            *(*db, "--format", form, "-o", f"{_OUT}{target}"),
            variant=f"--format {form}",
            results=(target,),
        )
    yield command(
        name,
        *(*db, "--annotator", "anna", "-o", f"{_OUT}anna.jsonl"),
        variant="--annotator",
        results=("anna.jsonl",),
    )
