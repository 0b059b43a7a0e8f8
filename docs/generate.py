"""Write the parts of the docs that come from the code: ``python -m docs.generate`` (``make docs``).

A page holds text and places like ``<!-- generated: labels -->`` … ``<!-- end -->``; what stands between is replaced.
``tests/test_docs.py`` compares, so that a page cannot say what the code no longer does.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from docs.app_tables import desk_table, keys_table, rules_table, split_table, store_table
from docs.audit_tables import audit_table
from docs.cxr_tables import lungs_table, three_classes_table
from docs.deep_covid_tables import cutoffs_table, deep_covid_table, frozen_table
from docs.fault_tables import bad_inputs_table, cost_table, faults_table, spark_table
from docs.figures import memory_table, peers_table, quality_table, speed_table, startup_table, table
from docs.predict_tables import diagnose_table, predict_table
from docs.training_tables import (
    attention_table,
    augmentation_table,
    bootstrap_table,
    data_path_table,
    epoch_table,
    ordinary_table,
    published_table,
    recipes_table,
    settings_table,
    shortcuts_table,
    table2_table,
)
from nlp.command import run_command
from nlp.lexicon import FILES, load_lexicon
from nlp.schema import COVID_CELL, FLAGS, MENTION_COLUMNS, STATE_CELL, Column, label_columns

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("nlp", "annotate", "train", "examples")
PAGES = (
    "README.md",
    "docs/app.md",
    "docs/audit.md",
    "docs/commands.md",
    "docs/contract.md",
    "docs/deep_covid.md",
    "docs/cxr_ai.md",
    "docs/explain.md",
    "docs/lexicon.md",
    "docs/predict.md",
    "docs/quality.md",
    "docs/reliability.md",
    "docs/spark.md",
    "docs/training.md",
)
EXPLAINED = "COVID-19. Consolidation was not observed; GGOs have partly resolved."
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->)\n.*?(<!-- end -->)", re.DOTALL)


def filled(page: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """The page with every generated place filled anew.

    Raises:
        KeyError: the page names a block that nothing generates.
    """
    return _BLOCK.sub(lambda found: f"{found[1]}\n\n{blocks[found[2]]().strip()}\n\n{found[3]}", page)


def commands() -> list[str]:
    """Every module that runs as a command, as ``package.module``."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).glob("*.py"))]
    return [
        f"{path.parent.name}.{path.stem}"
        for path in paths
        if re.search(r'^if __name__ == "__main__":', path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


def help_text(*command: str) -> str:
    """What ``python -m command --help`` prints, the same for every version of Python."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return re.sub(r"(?m)^(  --?[\w-]+) (\S.*?), (--[\w-]+) \2(?!\S)", r"\1, \3 \2", done.stdout).rstrip()


def _commands_block() -> str:
    return "\n\n".join(_command_block(command) for command in commands())


def _command_block(command: str) -> str:
    text = help_text(command)
    actions = re.search(r"\{([a-z,-]+)\} \.\.\.", text)
    parts = [f"## {command}", f"```text\n{text}\n```"]
    for action in actions[1].split(",") if actions else ():
        parts.append(f"```text\n{help_text(command, action)}\n```")
    return "\n\n".join(parts)


def _output_of(*command: str) -> str:
    """What a command prints, as a block."""
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return f"```text\n{done.stdout.strip()}\n```"


def _extract_block() -> str:
    with tempfile.TemporaryDirectory() as folder:
        labels = str(Path(folder) / "captions.labels.csv")
        text = _output_of("nlp.extract", "examples/captions.csv", "--covid-column", "covid19", "-o", labels)
        return text.replace(f"{folder}{os.sep}", "examples/")


def _columns_block(columns: Iterable[Column]) -> str:
    rows = [(f"`{column.name}`", column.meaning, _values(column)) for column in columns]
    return table(("column", "meaning", "values"), rows)


def _values(column: Column) -> str:
    if column.values is None:
        return "not blank" if column.required else "any text"
    return ", ".join(f"`{value}`" if value else "blank" for value in column.values)


def _cells_block(cells: Mapping[str, str]) -> str:
    return table(
        ("state", "cell"), [(state, f"`{cell}`" if cell else "blank") for state, cell in cells.items()]
    )


def _findings_block() -> str:
    findings = load_lexicon().findings
    rows = [
        (f"`{each.key}`", each.name, each.abbreviation, each.definition, ", ".join(each.entails) or "–")
        for each in findings
    ]
    return table(("key", "name", "code", "definition", "entails"), rows)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": _commands_block,
    "extract": _extract_block,
    "explain": lambda: _output_of("nlp.extract", "--explain", EXPLAINED),
    "labels": lambda: _columns_block(label_columns(load_lexicon().finding_keys)),
    "mentions": lambda: _columns_block(MENTION_COLUMNS),
    "states": lambda: _cells_block(STATE_CELL),
    "covid": lambda: _cells_block(COVID_CELL),
    "flags": lambda: table(("flag", "meaning"), [(f"`{flag}`", meaning) for flag, meaning in FLAGS.items()]),
    "findings": _findings_block,
    "files": lambda: table(
        ("file", "columns"), [(f"`{name}`", ", ".join(columns)) for name, columns in FILES.items()]
    ),
    "quality": lambda: quality_table(ROOT),
    "quality_unseen": lambda: quality_table(ROOT, unseen=True),
    "peers": lambda: peers_table(ROOT),
    "speed": lambda: speed_table(ROOT),
    "memory": lambda: memory_table(ROOT),
    "startup": lambda: startup_table(ROOT),
    "settings": settings_table,
    "augmentation": augmentation_table,
    "recipes": recipes_table,
    "shortcuts": shortcuts_table,
    "published": lambda: published_table(ROOT),
    "published_main": lambda: published_table(
        ROOT, beginnings=("published test, resnet", "source", "5-fold"), without="ensemble"
    ),
    "keys": keys_table,
    "desk": lambda: desk_table(ROOT),
    "store": lambda: store_table(ROOT),
    "split": lambda: split_table(ROOT),
    "rules": lambda: rules_table(ROOT),
    "table2": lambda: table2_table(ROOT),
    "data_path": lambda: data_path_table(ROOT),
    "epoch": lambda: epoch_table(ROOT),
    "ordinary": lambda: ordinary_table(ROOT),
    "bootstrap": lambda: bootstrap_table(ROOT),
    "lungs": lambda: lungs_table(ROOT),
    "three_classes": lambda: three_classes_table(ROOT),
    "attention": lambda: attention_table(ROOT),
    "frozen": lambda: frozen_table(ROOT),
    "deep_covid": lambda: deep_covid_table(ROOT),
    "cutoffs": lambda: cutoffs_table(ROOT),
    "audit": lambda: audit_table(ROOT),
    "faults": lambda: faults_table(ROOT),
    "bad_inputs": bad_inputs_table,
    "spark": lambda: spark_table(ROOT),
    "cost": lambda: cost_table(ROOT),
    "predict": lambda: predict_table(ROOT),
    "diagnose": lambda: diagnose_table(ROOT),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description="Write the generated docs.")
    return run_command(parser, lambda options: _write(), arguments)


def _write() -> None:
    for name in PAGES:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8"), BLOCKS), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    sys.exit(main())
