"""``annotate.chexpert_export``: what it writes, ``annotate.convert chexpert`` reads back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.chexpert import read_chexpert
from annotate.chexpert_export import chexpert_table
from nlp.lexicon import load_lexicon
from nlp.schema import CELL_VALUES

LEXICON = load_lexicon()
KEYS = ("covid19", *LEXICON.finding_keys)
row = st.fixed_dictionaries({key: st.sampled_from(CELL_VALUES) for key in KEYS})


@settings(max_examples=10)
@given(st.lists(row, min_size=1, max_size=8))
def test_chexpert_export_keeps_every_cell(tmp_path_factory: object, rows: list[dict[str, str]]) -> None:
    table = pd.DataFrame([{"image": f"patient{n}/a,b.png"} | cells for n, cells in enumerate(rows)])
    path = Path(tmp_path_factory.mktemp("chexpert")) / "train.csv"  # type: ignore[attr-defined]
    chexpert_table(table, LEXICON.findings).to_csv(path, index=False)
    again = read_chexpert(path, LEXICON).table.reset_index(drop=True)
    assert again[["image", *KEYS]].to_dict("records") == table[["image", *KEYS]].to_dict("records")


def test_chexpert_export_writes_numbers_as_the_data_set_does() -> None:
    cells = dict(zip(KEYS, ("1", "0", "-1", "", "1", "0"), strict=True))
    found = chexpert_table(pd.DataFrame([{"image": "a.png"} | cells]), LEXICON.findings)
    names = [finding.name for finding in LEXICON.findings]
    assert found.columns.tolist() == ["Path", *names, "COVID-19"]
    assert found.iloc[0].tolist() == ["a.png", "0.0", "-1.0", "", "1.0", "0.0", "1.0"]
