"""The tables and sentences of an audit, as plain text: the report shows them as HTML, the command prints the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nlp.schema import COVID
from train.audit import Audit
from train.audit_data import Cell, one_sided_sources
from train.audit_pictures import level, shown_pairs, told
from train.finding_facts import finding_names
from train.near_duplicates import Pair, across_sets, opposite_flags
from train.records import SPLITS, Records
from train.report_tables import NOTHING, Table

LISTED = 40
"""Rows that a long table shows; the CSV beside the page has all."""


def summary_table(found: Audit) -> Table:
    """What was found, in counts."""
    records, splits = found.records, found.records.splits
    sets = {split or "no set": splits.count(split) for split in (*SPLITS, "") if split in splits}
    sure = [pair for pair in found.pairs if pair.certain]
    patients, sources = (sum(each.kind == kind for each in found.shared) for kind in ("patient", "source"))
    rows = [
        ("images (patients)", f"{len(records):,} ({len(set(records.patient_ids)):,})"),
        ("sets", ", ".join(f"{name} {count:,}" for name, count in sets.items())),
        ("certain near duplicates", _counted(records, sure)),
        ("possible near duplicates", _counted(records, [pair for pair in found.pairs if not pair.certain])),
        ("patients in several sets", f"{patients:,}"),
        ("sources in several sets", f"{sources:,}"),
        ("AUC of the file alone", _shortcut(found)),
        (
            "outputs that cannot be scored",
            f"{sum(bool(cell.missing) for cell in found.cells)} of {len(found.cells)}",
        ),
        ("labels that contradict their text", _number(found.contradictions)),
        ("suspected label errors", _number(found.suspects)),
    ]
    return Table("In short", ("", ""), tuple(rows))


def pairs_table(found: Audit) -> Table:
    """The pairs that spoil the most."""
    shown = shown_pairs(found.records, found.pairs)
    rows = tuple(
        (
            f"{pair.score:.3f}",
            level(pair),
            *(told(found.records, row) for row in (pair.first, pair.second)),
            _marks(found.records, pair),
        )
        for pair in shown
    )
    rest = len(found.pairs) - len(shown)
    note = f"{rest:,} more: near_duplicates.csv and possible_duplicates.csv." if rest else ""
    return Table("Near duplicates", ("score", "level", "image", "image", ""), rows, note)


def shared_table(found: Audit) -> Table:
    """Patients and sources in several sets."""
    rows = tuple(
        (
            each.name,
            each.kind,
            ", ".join(f"{name} {count}" for name, count in each.sets.items()),
            f"{each.positive} / {each.negative}",
        )
        for each in found.shared[:LISTED]
    )
    header = ("name", "", "records in", "COVID-19 / control")
    return Table("Shared", header, rows, _more(found.shared, "shared_between_sets.csv"))


def source_sentence(records: Records) -> str:
    """How far the source tells the flag; blank where no record has a source."""
    known, one_sided = one_sided_sources(records)
    if not known:
        return ""
    return (
        f"{one_sided:,} of {known:,} records with a source and a known flag come from a source whose records all have"
        " one flag: as far as images show their source, they show the flag."
    )


def shortcuts_table(found: Audit) -> Table:
    """The baseline on files by group of features."""
    rows = tuple(
        (
            each.group,
            each.meaning,
            _area(each.sets["out_of_fold"].metrics["auc"].value),
            _interval(
                each.sets["out_of_fold"].metrics["auc"].low, each.sets["out_of_fold"].metrics["auc"].high
            ),
            each.model,
        )
        for each in found.shortcuts
    )
    note = (
        "How well features of the file, without any network, tell COVID-19 from controls: patients out of fold, 95 %"
        " intervals by a bootstrap over patients. 0.5 is chance."
    )
    return Table("Shortcuts", ("features", "", "AUC", "95 % interval", "model"), rows, note)


def coverage_table(found: Audit) -> Table:
    """Present and absent records of every output in every set."""
    sets = list(dict.fromkeys(cell.split for cell in found.cells))
    cells = {(cell.output, cell.split): cell for cell in found.cells}
    keys = found.records.finding_keys
    rows = tuple(
        (name, *(_counts(cells[key, split]) for split in sets))
        for key, name in zip((COVID, *keys), ("COVID-19", *finding_names(keys)), strict=True)
    )
    note = (
        "Records present / absent (patients). Findings count within captioned COVID-19 images, where they are measured."
        " An output with one class in a set cannot be scored on it."
    )
    return Table("Coverage", ("", *sets), rows, note)


def contradiction_table(found: Audit) -> Table:
    """How often which label contradicts what the text says."""
    kinds = Counter((each.key, each.label or "blank", each.state) for each in found.contradictions or ())
    keys = found.records.finding_keys
    names = dict(zip((COVID, *keys), ("COVID-19", *finding_names(keys)), strict=True))
    rows = tuple(
        (names[key], label, state.replace("_", " "), str(count))
        for (key, label, state), count in sorted(kinds.items())
    )
    return Table(
        "Labels against texts", ("", "label", "text", "records"), rows, "Each one: contradictions.csv."
    )


def suspects_table(found: Audit) -> Table:
    """The most suspect labels."""
    suspects, records = found.suspects or (), found.records
    rows = tuple(
        (
            records.images[each.record],
            records.splits[each.record] or NOTHING,
            each.key,
            str(int(each.positive)),
            f"{each.probability:.3f}",
        )
        for each in suspects[:LISTED]
    )
    note = _more(suspects, "label_errors.csv") + " The label the network believes least comes first."
    return Table("Suspects", ("image", "set", "output", "label", "probability"), rows, note.strip())


def _counted(records: Records, pairs: Sequence[Pair]) -> str:
    across = [pair for pair in pairs if across_sets(records, pair)]
    opposite = sum(opposite_flags(records, pair) for pair in pairs)
    return f"{len(pairs):,} ({len(across):,} across sets, {opposite:,} of opposite flags)"


def _marks(records: Records, pair: Pair) -> str:
    marks = {"across sets": across_sets(records, pair), "opposite flags": opposite_flags(records, pair)}
    return ", ".join(name for name, holds in marks.items() if holds)


def _shortcut(found: Audit) -> str:
    everything = [each.sets["out_of_fold"].metrics["auc"] for each in found.shortcuts if each.group == "all"]
    if not everything or everything[0].value is None:
        return "not measured"
    return f"{everything[0].value:.3f} ({_interval(everything[0].low, everything[0].high)})"


def _number(found: Sequence[object] | None) -> str:
    return "not looked for" if found is None else f"{len(found):,}"


def _area(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "too few patients" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _counts(cell: Cell) -> str:
    text = f"{cell.positive} / {cell.negative} ({cell.patients[0]} / {cell.patients[1]})"
    return f"{text}, none {cell.missing}" if cell.missing else text


def _more(rows: Sequence[object], name: str) -> str:
    return f"{len(rows) - LISTED:,} more: {name}." if len(rows) > LISTED else ""
