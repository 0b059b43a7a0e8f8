"""The study's table as Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from train.paper_table import DOI, TABLE_METRICS, paper_figures
from train.study_results import Row
from train.study_scores import Figure
from train.summary import DISCLAIMER

TITLES = {"sensitivity": "sensitivity", "auc": "AUC", "f1": "F1", "accuracy": "accuracy"}
MINUS = "\N{MINUS SIGN}"
NOTES = (
    "In %: mean ± standard deviation over seeds [95 % interval; patients and seeds are resampled together]. The"
    " difference is paired by patient and seed; in round brackets, half the width of its interval. Thresholds were"
    " chosen on val.",
    f"Paper: Liu et al. 2020, doi:{DOI}, baseline → LA-DNN, one run each on its own test set; its 95 % intervals would"
    " be ±4 to ±6 points on D0.",
)


@dataclass(frozen=True)
class Line:
    """A line of the table: its label, then one cell per metric; ``begins`` a backbone's lines."""

    data: str
    backbone: str
    label: str
    cells: tuple[str, ...]
    begins: bool


def markdown(rows: Sequence[Row]) -> str:
    """The table and what must be known to read it."""
    heads = ("data", "backbone", "", *(TITLES[name] for name in TABLE_METRICS))
    text = [_piped(heads), _piped(["---"] * len(heads))]
    text += [
        _piped((_safe(line.data), _safe(line.backbone), line.label, *line.cells)) for line in _lines(rows)
    ]
    notes = [*NOTES[: 1 + _has_paper(rows)], *_facts(rows)]
    return "\n".join([*text, "", *(f"- {_safe(note)}" for note in notes), "", DISCLAIMER, ""])


def latex(rows: Sequence[Row]) -> str:
    """The same table for a paper; needs the package booktabs."""
    columns = "lll" + "c" * len(TABLE_METRICS)
    heads = ["data", "backbone", "", *(TITLES[name] for name in TABLE_METRICS)]
    text = [
        f"% {DISCLAIMER} Needs \\usepackage{{booktabs}}.",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
    ]
    text += [" & ".join(heads) + r" \\"]
    for line in _lines(rows):
        text += ["\\midrule"] if line.begins else []
        cells = (_escaped(cell) for cell in (line.data, line.backbone, line.label, *line.cells))
        text.append(" & ".join(cells) + r" \\")
    notes = [*NOTES[: 1 + _has_paper(rows)], *_facts(rows)]
    return "\n".join([*text, "\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in notes), ""])


# ---- lines of the table


def _lines(rows: Sequence[Row]) -> Iterator[Line]:
    for row in rows:
        if row.part.kind != "whole" and row.comparison is None:
            continue  # the whole table's line says why
        data = f"{row.part.data}: {row.part.title}" if row.part.title else row.part.data
        labelled = [*_measured_lines(row), *_paper_line(row)]
        for place, (label, cells) in enumerate(labelled):
            names = (data, row.backbone) if place == 0 else ("", "")
            yield Line(*names, label, tuple(cells), begins=place == 0)


def _measured_lines(row: Row) -> Iterator[tuple[str, list[str]]]:
    if row.comparison is None:
        yield row.start, ["–"] * len(TABLE_METRICS)
        return
    kinds = (("baseline", row.comparison.baseline), ("LA-DNN", row.comparison.ladnn))
    for label, figures in kinds:
        if figures:
            yield f"{label}, {row.start}", [_figure(figures[name]) for name in TABLE_METRICS]
    if found := row.comparison.difference:
        yield f"LA-DNN {MINUS} baseline", [_difference(found[name]) for name in TABLE_METRICS]


def _paper_line(row: Row) -> Iterator[tuple[str, list[str]]]:
    """The paper's own split is compared with the whole table only."""
    known = paper_figures(row.backbone, row.part.data) if row.part.kind == "whole" else {}
    if known:
        pairs = (known.get(name) for name in TABLE_METRICS)
        yield "paper", [f"{pair[0]:.1f} → {pair[1]:.1f}" if pair else "–" for pair in pairs]


def _figure(figure: Figure) -> str:
    spread = "" if figure.sd is None else f" ± {100 * figure.sd:.1f}"
    between = (
        "few patients" if figure.low is None else f"{100 * figure.low:.1f}, {100 * (figure.high or 0):.1f}"
    )
    return f"{100 * figure.mean:.1f}{spread} [{between}]"


def _difference(figure: Figure) -> str:
    if figure.low is None or figure.high is None or figure.half_width is None:
        return f"{_signed(figure.mean)} [few patients]"
    between = f"{_signed(figure.low)}, {_signed(figure.high)}"
    return f"{_signed(figure.mean)} [{between}] (±{100 * figure.half_width:.1f})"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", MINUS)


def _has_paper(rows: Sequence[Row]) -> bool:
    return any(True for row in rows for _ in _paper_line(row))


def _facts(rows: Sequence[Row]) -> Iterator[str]:
    """What each part was measured on, and what went wrong."""
    seen = set()
    for row in rows:
        if row.truth is not None and row.comparison is not None and row.part.folder not in seen:
            seen.add(row.part.folder)
            title = f"{row.part.data}, {row.part.title}" if row.part.title else row.part.data
            runs = {f.runs for side in (row.comparison.baseline, row.comparison.ladnn) for f in side.values()}
            positive = int(row.truth.positive.sum())
            yield (
                f"{title}: {row.part.measured.replace('_', ' ')}, {positive} confirmed and"
                f" {len(row.truth.positive) - positive} control records of {len(set(row.truth.patient_ids))} patients,"
                f" {max(runs)} seed{'s' if max(runs) > 1 else ''}{'; ' + row.part.note if row.part.note else ''}"
            )
    yield from (_delong(row) for row in rows if row.comparison and row.comparison.delong)
    for row in rows:
        yield from (f"failed: {problem}" for problem in row.problems)


def _delong(row: Row) -> str:
    assert row.comparison is not None and row.comparison.delong is not None
    found = row.comparison.delong
    said = (
        f"the same order of records; AUC {_signed(found.value)}"
        if found.p is None or found.low is None or found.high is None
        else f"AUC {_signed(found.value)} [{_signed(found.low)}, {_signed(found.high)}], p = {found.p:.3f}"
    )
    return (
        f"{row.part.data}, {row.backbone}: mean logits over seeds, LA-DNN {MINUS} baseline by DeLong with patients as"
        f" clusters (Obuchowski): {said}"
    )


# ---- characters


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _safe(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


_LATEX = str.maketrans(
    {
        **{char: f"\\{char}" for char in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "→": r"$\to$",
        MINUS: "$-$",
        "–": "--",
        "<": r"$<$",
        ">": r"$>$",
        "|": r"$|$",
    }
)


def _escaped(text: str) -> str:
    return text.translate(_LATEX)
