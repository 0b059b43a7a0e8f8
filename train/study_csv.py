"""Every figure of every run of a study, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from nlp.schema import COVID
from train.metrics import METRICS
from train.study_plan import LADNN
from train.study_results import Finished, starts_from

CSV_COLUMNS = (
    *("data", "part", "backbone", "mode", "seed", "set", "output", "metric", "value", "low", "high"),
    *("n_positive", "n_negative", "weights", "folder", "note"),
)


def runs_csv(finished: Sequence[Finished]) -> str:
    """One line per run, output and metric, as metrics.json has them; a line with a note where nothing was measured."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for each in finished:
        writer.writerows(_run_lines(each))
    return text.getvalue()


def _run_lines(each: Finished) -> Iterator[dict[str, object]]:
    cell = each.cell
    usual: dict[str, object] = {
        "data": cell.part.data,
        "part": cell.part.title,
        "backbone": cell.config.backbone,
        "mode": cell.config.mode,
        "seed": cell.config.seed,
        "set": cell.part.measured,
        "weights": starts_from(cell.config.weights),
        "folder": str(cell.folder),
    }
    if each.metrics is None:
        yield usual | {"note": each.why_not.partition("\n")[0]}
        return
    found = each.metrics[cell.part.measured]
    outputs: dict[str, Mapping[str, object]] = {COVID: found["covid19"]}
    outputs |= found["findings"] if cell.config.mode == LADNN else {}
    for output, measured in outputs.items():
        counts = {name: measured[name] for name in ("n_positive", "n_negative")}
        for name in METRICS:
            values = {
                "value": measured[name],
                "low": measured[f"{name}_low"],
                "high": measured[f"{name}_high"],
            }
            yield usual | counts | {"output": output, "metric": name} | values
