"""What the fault benchmarks share: one row of the table for each fault, and processes that are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT


@dataclass(frozen=True)
class Fault:
    """What was done to the program, how often, and what became of it.

    Attributes:
        what: the fault, in words.
        how: how it was made.
        tried: how often.
        found: figures by name.
        target: in words.
        held: whether the target was met.
    """

    what: str
    how: str
    tried: int
    target: str
    held: bool
    found: Mapping[str, Any] = field(default_factory=dict)


def started(*command: object, log: Path) -> subprocess.Popen[bytes]:
    """``python -m command`` as a process; what it says goes to a file."""
    with log.open("ab") as handle:
        arguments = [sys.executable, "-m", *map(str, command)]
        return subprocess.Popen(arguments, cwd=ROOT, stdout=handle, stderr=handle)
