"""``annotate.coverage``: what each set holds against its target, in numbers, words and bars."""

from __future__ import annotations

import html.parser

import pandas as pd
import pytest

from annotate.coverage import Amount, coverage
from annotate.coverage_html import coverage_html
from annotate.split import RATIOS, split
from nlp.lexicon import load_lexicon
from nlp.schema import label_columns

LEXICON = load_lexicon()
KEYS = LEXICON.finding_keys
NAMES = [column.name for column in label_columns(KEYS)]


def table(patients: int, **cells: list[int]) -> pd.DataFrame:
    """One image a patient; ``cells`` name the patients that have a finding."""
    basis = dict.fromkeys(NAMES, "") | {"review": "auto", "source": "<b>site</b>"}
    rows = [
        basis
        | {"image": f"{n}.png", "patient_id": f"p{n:03}", "covid19": str(n % 2)}
        | {key: "1" for key, holders in cells.items() if n in holders}
        for n in range(patients)
    ]
    rows[0]["source"] = "other"
    return pd.DataFrame(rows, dtype=object)


def amounts(found: pd.DataFrame, **options: object) -> dict[str, Amount]:
    division = split(found, KEYS, **options)  # type: ignore[arg-type]
    return {
        amount.name if amount.kind == "finding" else amount.title: amount
        for amount in coverage(division, LEXICON.findings)
    }


def test_coverage_numbers_add_up_and_meet_their_targets() -> None:
    found = amounts(table(40, **{KEYS[0]: list(range(10))}))
    assert list(found)[:2] == ["Patients, COVID-19", "Patients, controls"]
    for amount in found.values():
        assert sum(held.number for held in amount.sets) == amount.total
        assert sum(held.target for held in amount.sets) == pytest.approx(amount.total)
        assert all(held.low <= held.number <= held.high and not held.word for held in amount.sets)
    assert [held.number for held in found["Patients, COVID-19"].sets] == [12, 3, 5]
    assert (
        found[KEYS[0]].title == LEXICON.findings[0].name
        and found[KEYS[0]].colour == LEXICON.findings[0].colour
    )


@pytest.mark.parametrize(
    ("holders", "missing", "reason"),
    [
        ([3], ["val", "test"], "only 1 patient has it: it cannot be in all 3 sets"),
        ([3, 5], ["val"], "only 2 patients have it: it cannot be in all 3 sets"),
        ([3, 5, 8], [], ""),
    ],
)
def test_coverage_says_why_a_finding_cannot_be_in_every_set(
    holders: list[int], missing: list[str], reason: str
) -> None:
    amount = amounts(table(40, **{KEYS[2]: holders}))[KEYS[2]]
    assert [held.name for held in amount.sets if held.word == "missing"] == missing
    assert amount.reason == reason and amount.groups == len(holders)


def test_coverage_knows_earlier_splits_and_sets_left_out() -> None:
    earlier = table(20, **{KEYS[0]: list(range(20))}).assign(split="train")
    amount = amounts(earlier)[KEYS[0]]
    assert [held.word for held in amount.sets] == ["above", "missing", "missing"]
    assert "earlier splits stay" in amount.reason
    without_val = amounts(earlier.assign(split="val"), ratios=(80, 0, 20))[KEYS[0]]
    assert [held.word for held in without_val.sets] == ["missing", "left out", "missing"]


def test_coverage_html_escapes_data_and_says_everything_in_words() -> None:
    division = split(table(40, **{KEYS[2]: [3]}), KEYS, ratios=RATIOS)
    drawn = coverage_html(coverage(division, LEXICON.findings), "sets")
    assert "<b>site</b>" not in drawn and "&lt;b&gt;site&lt;/b&gt;" in drawn
    assert "only 1 patient has it" in drawn and "missing" in drawn and "http" not in drawn
    html.parser.HTMLParser().feed(drawn)
    assert drawn.count("<tr>") == drawn.count("</tr>")
