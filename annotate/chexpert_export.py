"""A settled table in the form of CheXpert: Path, then a column per observation.

Irvin et al., "CheXpert", AAAI 2019, doi:10.1609/aaai.v33i01.3301590: 1.0 present, 0.0 negated, -1.0 uncertain,
blank not mentioned. Patients, captions and splits have no column there; ``annotate.chexpert`` reads it back.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nlp.entries import Finding
from nlp.schema import CELL_VALUES, COVID

COVID_NAME = "COVID-19"
_NUMBERS = {cell: f"{cell}.0" if cell else "" for cell in CELL_VALUES}


def chexpert_table(table: pd.DataFrame, findings: Sequence[Finding]) -> pd.DataFrame:
    """``Path`` and the observations by the findings' display names, the COVID flag last; all cells text."""
    names = {finding.key: finding.name for finding in findings} | {COVID: COVID_NAME}
    cells = {name: table[key].map(_NUMBERS) for key, name in names.items()}
    return pd.DataFrame({"Path": table["image"], **cells}, dtype=object)
