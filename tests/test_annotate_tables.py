"""``annotate.tables``: what is read is checked, what is written is what was read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.tables import read_labels, read_table, write_labels
from nlp.errors import ContractError, InputError, OutputError
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns

FINDINGS = load_lexicon().finding_keys
NAMES = [column.name for column in label_columns(FINDINGS)]
MARKER = "zebrafish"


def labels(*rows: dict[str, str]) -> pd.DataFrame:
    basis = dict.fromkeys(NAMES, "") | {"patient_id": "p", "review": "auto"}
    table = pd.DataFrame(
        [basis | {"image": f"{number}.png"} | row for number, row in enumerate(rows)], dtype=object
    )
    return table.set_axis(range(2, len(rows) + 2))


def test_read_labels_keeps_text_as_text_and_numbers_rows(tmp_path: Path) -> None:
    target = tmp_path / "labels.csv"
    write_labels(
        labels({"patient_id": "007", "caption": 'NA\n"quoted", 中'}, {"source": "None"}), target, FINDINGS
    )
    table = read_labels(target, FINDINGS)
    assert table["patient_id"].tolist() == ["007", "p"]
    assert table["caption"].tolist() == ['NA\n"quoted", 中', ""]
    assert table["source"].tolist() == ["", "None"]
    assert table.index.tolist() == [2, 3]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1))
def test_write_labels_then_read_is_identity(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, texts: list[str]
) -> None:
    target = tmp_path_factory.mktemp("tables") / f"labels.{suffix}"
    table = labels(*({"caption": text} for text in texts)).assign(own="kept")
    write_labels(table, target, FINDINGS)
    again = read_labels(target, FINDINGS)
    assert list(again.columns) == [*NAMES, "own"]
    assert again.to_dict("list") == table.to_dict("list")


def test_read_labels_lists_every_breach_with_its_row_and_no_text(tmp_path: Path) -> None:
    target = tmp_path / "labels.csv"
    slipped = f"a whole report about a {MARKER}"
    rows = labels(
        {"patient_id": "", "split": "dev"},
        {"image": "0.png", "covid19": "yes", "flags": "no_text;odd"},
        {FINDINGS[0]: slipped, "review": ""},
    )
    write_labels(rows, target, FINDINGS)
    with pytest.raises(ContractError) as caught:
        read_labels(target, FINDINGS)
    message = str(caught.value)
    assert "breaks the contract in 7 places" in message
    assert "row 2: patient_id is blank but must have a value" in message
    assert "row 2: split must be one of train, val, test, blank; found 'dev'" in message
    assert "row 3: image '0.png' stands in row 2 already" in message
    assert "row 3: covid19 must be one of" in message and "row 3: flags holds 'odd'" in message
    assert f"row 4: {FINDINGS[0]} must be one of 1, 0, -1, blank; found {len(slipped)} characters" in message
    assert MARKER not in message


def test_read_labels_cuts_a_long_list(tmp_path: Path) -> None:
    write_labels(labels(*[{"split": "dev"}] * 130), tmp_path / "labels.csv", FINDINGS)
    with pytest.raises(ContractError, match=r"in 130 places(.|\n)*\.\.\. and 30 more$"):
        read_labels(tmp_path / "labels.csv", FINDINGS)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("image,split\na,\n", ContractError, "lacks the columns patient_id, source, panel"),
        (",".join(NAMES) + "\n", ContractError, "has a header but no rows"),
        ("image,image\na,b\n", InputError, "columns that occur twice in the header: image"),
        ("image,split\na\nb,c\nd\n", InputError, "row 2: .*\n.*row 4: "),
        ("", InputError, "is empty"),
    ],
)
def test_read_labels_refuses_what_is_no_table_of_the_contract(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(error, match=message):
        read_labels(tmp_path / "labels.csv", FINDINGS)


def test_read_table_of_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv"):
        read_table(tmp_path / "none.csv")


def test_write_labels_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="was not written"):
        write_labels(labels({}), tmp_path / "none" / "labels.csv", FINDINGS)


def test_write_labels_refuses_a_suffix_it_does_not_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"labels\.xlsx must end in \.csv or \.parquet"):
        write_labels(labels({}), tmp_path / "labels.xlsx", FINDINGS)
    assert not list(tmp_path.iterdir())
