"""What the worklist can be narrowed to, and how a record says that it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from annotate.store_tables import WORK
from nlp.errors import StoreError
from nlp.schema import CELL_VALUES, COVID, FLAGS

_MARK = "\n"


@dataclass(frozen=True)
class Filters:
    """Only records that fit all of these; None does not narrow.

    Attributes:
        finding: a finding, or covid19, that the text mentions; with ``state``, that has this cell.
        state: a cell of the contract; blank: not mentioned.
        flag: a key of ``nlp.schema.FLAGS``, or ``any``.
    """

    finding: str | None = None
    state: str | None = None
    source: str | None = None
    flag: str | None = None
    patient_id: str | None = None


NO_FILTERS = Filters()


def check_filters(filters: Filters, findings: Sequence[str]) -> None:
    """Refuse filters that no record could fit.

    Raises:
        StoreError: lists an unknown finding, state or flag, and a state without a finding.
    """
    problems = []
    if filters.finding not in (None, COVID, *findings):
        problems.append(f"finding is one of {', '.join((COVID, *findings))}; found {filters.finding!r}")
    if filters.state not in (None, *CELL_VALUES):
        problems.append(f"state is one of {', '.join(map(repr, CELL_VALUES))}; found {filters.state!r}")
    if filters.state is not None and filters.finding is None:
        problems.append("a state needs a finding")
    if filters.flag not in (None, "any", *FLAGS):
        problems.append(f"flag is one of any, {', '.join(FLAGS)}; found {filters.flag!r}")
    if problems:
        raise StoreError("; ".join(problems))


def facets(labels: Mapping[str, str], *, flags: str, source: str, patient_id: str) -> str:
    r"""What ``work.facets`` holds of a record: one ``name=value`` a line.

    >>> facets({"consolidation": "1", "covid19": ""}, flags="", source="", patient_id="p 1")
    '\nconsolidation=1\npatient_id=p 1\n'
    """
    cells = [f"{key}={cell}" for key, cell in labels.items() if cell]
    raised = [f"flag={flag}" for flag in flags.split(";") if flag]
    origin = [_facet("source", source)] if source else []
    return _MARK + _MARK.join([*cells, *raised, *origin, _facet("patient_id", patient_id)]) + _MARK


def conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """The filters as conditions on ``work``."""
    found = []
    if filters.finding is not None and filters.state == "":
        found.append(~_holds(f"{_MARK}{filters.finding}="))
    elif filters.finding is not None and filters.state is None:
        found.append(_holds(f"{_MARK}{filters.finding}="))
    elif filters.finding is not None:
        found.append(_holds(f"{_MARK}{filters.finding}={filters.state}{_MARK}"))
    if filters.source is not None:
        found.append(_holds(_MARK + _facet("source", filters.source) + _MARK))
    if filters.flag is not None:
        found.append(_holds(f"{_MARK}flag=" + ("" if filters.flag == "any" else filters.flag + _MARK)))
    if filters.patient_id is not None:
        found.append(WORK.c.patient_id == filters.patient_id)
    return found


def _facet(name: str, value: str) -> str:
    return f"{name}={value.replace(_MARK, ' ')}"


def _holds(part: str) -> sa.ColumnElement[bool]:
    return _Place(WORK.c.facets, sa.literal(part)) > 0


class _Place(FunctionElement[int]):
    """Where a text holds a part, from 1; 0 where not. LIKE would read ``%``, and SQLite's takes A for a."""

    type = sa.Integer()
    inherit_cache = True


@compiles(_Place)
def _strpos(element: _Place, compiler: SQLCompiler, **options: Any) -> str:
    name = "instr" if compiler.dialect.name == "sqlite" else "strpos"
    return f"{name}({compiler.process(element.clauses, **options)})"
