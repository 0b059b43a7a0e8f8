"""What came out, counted: records per finding and state, flags, rejected rows, warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from nlp.read import WARNINGS, Batch, Warned
from nlp.schema import COVID, COVID_CELL, FLAGS, STATE_CELL, STATES

if TYPE_CHECKING:
    from nlp.entries import Finding


@dataclass
class Summary:
    """The figures of one run; ``rows`` of the input are ``records`` and ``rejected`` together."""

    findings: Sequence[Finding]
    rows: int = 0
    rejected: int = 0
    records: int = 0
    mentions: int = 0
    states: dict[str, Counter[str]] = field(default_factory=dict)
    covid: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    warnings: dict[str, Warned] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def read(self, batch: Batch) -> None:
        """Count the rows of a batch as it was read; batches come in order."""
        self.rows += batch.rows
        self.rejected += len(batch.rejected)
        for name, new in batch.warnings.items():
            old = self.warnings.get(name, Warned(0, new.first))
            self.warnings[name] = Warned(old.count + new.count, old.first)

    def add(self, labels: pa.RecordBatch, mentions: pa.RecordBatch) -> None:
        """Count the records and states of one part."""
        self.records += labels.num_rows
        self.mentions += mentions.num_rows
        for finding in self.findings:
            counted = _states(labels, mentions, finding.key)
            self.states.setdefault(finding.key, Counter()).update(counted)
        covid = _counts(labels.column(COVID))
        self.covid.update({state: covid[cell] for state, cell in COVID_CELL.items()})
        for flags, count in _counts(labels.column("flags")).items():
            self.flags.update({flag: count for flag in flags.split(";") if flag})

    def text(self) -> str:
        """The table and the figures below it."""
        named = [(finding.name, self.states.get(finding.key, Counter())) for finding in self.findings]
        width = max(len(name) for name, _ in [*named, ("COVID-19", None)]) + 2
        covid = [("COVID-19", self.covid)]
        lines = [_table(width, STATES, named), "", _table(width, list(COVID_CELL), covid), ""]
        lines.append(f"{self.rows:,} rows read = {self.records:,} records + {self.rejected:,} rejected")
        lines += [f"flag {flag}, {FLAGS[flag]}: {self.flags[flag]:,}" for flag in FLAGS if self.flags[flag]]
        lines += [_warning(name, self.warnings[name]) for name in WARNINGS if name in self.warnings]
        lines.append(f"written: {', '.join(str(file) for file in self.files)}")
        return "\n".join(lines)


def _states(labels: pa.RecordBatch, mentions: pa.RecordBatch, finding: str) -> Counter[str]:
    """Records per state; the cell 0 means resolved or negated, which the mentions tell apart."""
    cells = _counts(labels.column(finding))
    counts = Counter({state: cells[STATE_CELL[state]] for state in ("present", "uncertain", "not_mentioned")})
    zero = labels.column("image").filter(pc.equal(labels.column(finding), STATE_CELL["resolved"]))
    of_finding = pc.equal(mentions.column("finding"), finding)
    resolved = pc.and_(of_finding, pc.equal(mentions.column("assertion"), "resolved"))
    resolved_images = set(mentions.column("image").filter(resolved).to_pylist())
    counts["resolved"] = sum(image in resolved_images for image in zero.to_pylist()) if resolved_images else 0
    counts["negated"] = cells[STATE_CELL["negated"]] - counts["resolved"]
    return counts


def _counts(column: pa.Array) -> Counter[str]:
    return Counter({item["values"]: item["counts"] for item in pc.value_counts(column).to_pylist()})


def _table(width: int, states: Sequence[str], rows: Iterable[tuple[str, Counter[str]]]) -> str:
    lines = [" " * width + "".join(f"{state.replace('_', ' '):>15}" for state in states)]
    for name, counts in rows:
        lines.append(f"{name:<{width}}" + "".join(f"{counts[state]:>15,}" for state in states))
    return "\n".join(lines)


def _warning(name: str, warned: Warned) -> str:
    return f"warning: {WARNINGS[name]}: {warned.count:,} (first: row {warned.first})"
