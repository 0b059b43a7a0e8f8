"""Tables of the page about prediction: what it costs, and how soon the Diagnose page answers."""

from __future__ import annotations

from pathlib import Path

from docs.figures import result_of, table, with_machine

NOT_MEASURED = "Not measured yet: `python -m benchmarks.{name} --run runs/NAME`."


def predict_table(root: Path) -> str:
    """Prediction beside the network's own passes."""
    found = result_of(root, "predict")
    if found is None:
        return NOT_MEASURED.format(name="predict")
    (_, forward), (_, whole) = found["forward"], found["predict"]
    rows = [
        ("CPU-seconds of the network's passes alone", f"{forward:.1f}", ""),
        ("of the prediction of files", f"{whole:.1f}", ""),
        ("share of the network's own rate, by the clock", f"{found['share']:.2f}", "≥ 0.8"),
        ("command → first row, s", f"{found['first_row']:.1f}", "< 5"),
    ]
    header = (f"{found['count']:,} images, {found['device'].upper()}", "measured", "target")
    return with_machine(table(header, rows), found)


def diagnose_table(root: Path) -> str:
    """The Diagnose page in a real browser."""
    found = result_of(root, "diagnose")
    if found is None:
        return NOT_MEASURED.format(name="diagnose")
    header, *rows = found["table"]
    return with_machine(table(header, rows), found)
