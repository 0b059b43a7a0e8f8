"""``annotate.spreadsheet``: nothing in a cell runs as a formula, and no label changes."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.spreadsheet import FORMULA_STARTS, escape_formulas
from nlp.lexicon import load_lexicon
from nlp.schema import CELL_VALUES, MENTION_COLUMNS, label_columns

FINDINGS = load_lexicon().finding_keys
COLUMNS = label_columns(FINDINGS)
ugly = st.one_of(
    st.text(max_size=8), st.sampled_from(FORMULA_STARTS).flatmap(lambda start: st.just(f"{start}cmd()"))
)


def table(captions: list[str], cell: str = "-1") -> pd.DataFrame:
    basis = {column.name: cell if column.values == CELL_VALUES else "" for column in COLUMNS}
    return pd.DataFrame([basis | {"image": f"{n}.png", "caption": text} for n, text in enumerate(captions)])


@settings(max_examples=50)
@given(st.lists(ugly, min_size=1, max_size=6))
def test_spreadsheet_leaves_no_formula_and_changes_nothing_else(captions: list[str]) -> None:
    before = table(captions)
    escaped = escape_formulas(before, COLUMNS)
    for old, new in zip(captions, escaped.table["caption"], strict=True):
        assert not new.startswith(FORMULA_STARTS)
        assert new in (old, f"'{old}") and (new == old) == (not old.startswith(FORMULA_STARTS))
    others = [name for name in before.columns if name != "caption"]
    assert escaped.table[others].equals(before[others])
    assert escaped.cells.get("caption", 0) == sum(text.startswith(FORMULA_STARTS) for text in captions)


def test_spreadsheet_keeps_minus_one_of_every_label() -> None:
    escaped = escape_formulas(table(["-1"]), COLUMNS)
    assert escaped.table["caption"].tolist() == ["'-1"]
    assert set(escaped.table[["covid19", *FINDINGS]].iloc[0]) == {"-1"}
    assert escaped.cells == {"caption": 1}


def test_spreadsheet_escapes_columns_beyond_the_contract_and_mentions() -> None:
    assert escape_formulas(table(["x"]).assign(mine="@SUM(A1)"), COLUMNS).table["mine"].tolist() == [
        "'@SUM(A1)"
    ]
    mentions = pd.DataFrame(
        [{column.name: "" for column in MENTION_COLUMNS} | {"text": "+ GGO", "start": "3"}]
    )
    escaped = escape_formulas(mentions, MENTION_COLUMNS)
    assert escaped.table.loc[0, "text"] == "'+ GGO" and escaped.table.loc[0, "start"] == "3"
