"""The commands that are run on a full disk; what they read lies on another."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.faults_disk import Command, in_child
from nlp.errors import ToolkitError


def example_commands(folder: Path) -> list[Command]:
    """The commands that write tables and databases, on the example set; inputs lie outside the small disk."""
    import annotate.backup
    import annotate.export
    import annotate.load
    import annotate.restore
    import annotate.split
    import nlp.extract
    from annotate.load import load
    from annotate.people import add_user
    from annotate.store import open_store

    captions, labels, mentions = (
        ROOT / "examples" / "captions.csv",
        folder / "labels.csv",
        folder / "mentions.csv",
    )
    nlp.extract.extract(captions, output=labels, mentions=mentions, columns={"covid": "covid19"})
    url = f"sqlite:///{folder / 'full.db'}"
    with closing(open_store(url)) as store:
        load(store, labels, mentions=mentions, images=ROOT / "examples" / "images")
        with store.write() as connection:
            add_user(connection, "anna")
        annotate.backup.backup(store, folder / "safe.db", now=0.0)
    loading = ("--mentions", str(mentions), "--images", str(ROOT / "examples" / "images"))
    out = "{out}/"
    return [
        Command(
            "nlp.extract",
            nlp.extract.main,
            (str(captions), "-o", f"{out}l.csv", "--mentions", f"{out}m.csv", "--html", f"{out}p.html"),
            ("l.csv", "m.csv", "l.rejected.csv", "p.html"),
        ),
        Command("annotate.load", annotate.load.main, (str(labels), *loading, "--db", f"{out}a.db"), ()),
        Command(
            "annotate.export",
            annotate.export.main,
            ("--db", url, "-o", f"{out}e.csv", "--mentions", f"{out}em.csv"),
            ("e.csv", "em.csv", "e.manifest.json"),
        ),
        Command("annotate.split", annotate.split.main, (str(labels), "-o", f"{out}s.csv"), ("s.csv",)),
        Command(
            "annotate.restore", annotate.restore.main, (str(folder / "safe.db"), "--db", f"{out}r.db"), ()
        ),
        Command(
            "annotate.export --annotator",
            annotate.export.main,
            ("--db", url, "--annotator", "anna", "-o", f"{out}anna.jsonl"),
            ("anna.jsonl",),
        ),
        Command(
            "annotate.backup", annotate.backup.main, ("--db", url, "-o", f"{out}b.db"), ("b.db", "b.db.json")
        ),
    ]


def training_commands(folder: Path) -> list[Command]:
    """A tiny training, and predictions by it."""
    import train.predict
    import train.run
    from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
    from train.config_file import write_config

    table, settings = write_phantoms(folder / "phantoms", phantom_records()), folder / "settings.toml"
    write_config(phantom_config(epochs=1), settings)
    images, done = folder / "phantoms" / "images", folder / "done"
    learning = (str(table), "--images", str(images), "--config", str(settings))
    made = Command("", train.run.main, (*learning, "--out", str(done)), ())
    code, said = in_child(made, folder, None)
    if code:
        raise ToolkitError(f"the training failed: {said[-1000:]}")
    predicting = (str(done), str(images), "-o", "{out}/p.csv", "--device", "cpu")
    return [
        Command("train.run", train.run.main, (*learning, "--out", "{out}/run"), ()),
        Command("train.predict", train.predict.main, predicting, ("p.csv",)),
    ]
