"""The table of what the audit finds in published data, read from ``benchmarks/results/audit.json``."""

from __future__ import annotations

from pathlib import Path

from docs.figures import result_of, table

NOT_AUDITED = "Not measured yet: `python -m benchmarks.audit`, which needs the published data."


def audit_table(root: Path) -> str:
    """What was measured, the value, and of how many."""
    found = result_of(root, "audit")
    if found is None:
        return NOT_AUDITED
    rows = [(row["what"], f"{row['value']:.3g}", row["note"] or "–") for row in found["rows"]]
    return table(("what", "value", "of"), rows)
