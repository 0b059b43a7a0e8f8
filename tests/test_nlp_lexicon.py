"""The lexicon: what its files mean, and every mistake by file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from nlp.command import DONE, FAILED
from nlp.entries import Lexicon
from nlp.errors import LexiconError
from nlp.lexicon import FILES, load_lexicon, main

SMALL: dict[str, list[str]] = {
    "findings.csv": ["cavity,Cavity,Cav,#00aa00,A gas-filled space,,,", "cyst,Cyst,Cyst,#0000aa,A round space,cavity,,"],
    "words.csv": ["space,space,", "space,hole,"],
    "spellings.csv": ["cavitys,cavity,plural"],
    "terms.csv": ["cavity,cavity|cavern @space?,report,yes,,yes,", "cyst,cyst <2> @space,report,no,,yes,"],
    "cues.csv": ["no,cue,negated,forward,,,", "no change,pseudo,,forward,,,", "but,terminate,,both,,,"],
    "sections.csv": ["findings,findings,yes,", "indication,indication,no,"],
    "modalities.csv": ["ct,ct,"],
    "anatomy.csv": ["left,laterality,left,", "lung,chest,,"],
    "covid.csv": ["covid 19?,name,"],
    "abbreviations.csv": ["fig,number,"],
    "never_fuzzy.csv": ["gravity,"],
}  # fmt: skip


def write_lexicon(folder: Path, changes: dict[str, Sequence[str]] | None = None) -> Path:
    """The small lexicon, with rows added at the end of its files."""
    folder.mkdir(exist_ok=True)
    for name, rows in SMALL.items():
        lines = [",".join(FILES[name]), *rows, *(changes or {}).get(name, ())]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def problems(folder: Path) -> tuple[str, ...]:
    """Every mistake that loading a folder names."""
    with pytest.raises(LexiconError) as raised:
        load_lexicon(folder)
    return raised.value.problems


with (Path(__file__).parent / "cases" / "lexicon_mistakes.csv").open(encoding="utf-8", newline="") as _file:
    MISTAKES = [tuple(row) for row in csv.reader(_file)][1:]


@pytest.mark.parametrize(("file", "row", "column", "message"), MISTAKES)
def test_lexicon_a_mistake_is_named_with_file_line_and_column(
    tmp_path: Path, file: str, row: str, column: str, message: str
) -> None:
    found = problems(write_lexicon(tmp_path, {file: [row]}))
    place = f"{file}:{len(SMALL[file]) + 2}:{column}: "
    assert len(found) == 1, found
    assert found[0].startswith(place)
    assert message in found[0]


@pytest.mark.parametrize("file", FILES)
def test_lexicon_a_row_that_stands_twice_is_refused(tmp_path: Path, file: str) -> None:
    found = problems(
        write_lexicon(tmp_path, {file: [SMALL[file][0].upper() if file == "words.csv" else SMALL[file][0]]})
    )
    assert any(
        f"{file}:{len(SMALL[file]) + 2}:" in line and "stands in line 2 already" in line for line in found
    )


@pytest.mark.parametrize("file", FILES)
def test_lexicon_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    (write_lexicon(tmp_path) / file).unlink()
    assert any(line.startswith(f"{file}:1:") and "missing" in line for line in problems(tmp_path))


@pytest.mark.parametrize("file", FILES)
def test_lexicon_an_empty_file_lacks_its_columns(tmp_path: Path, file: str) -> None:
    (write_lexicon(tmp_path) / file).write_text("", encoding="utf-8")
    wanted = [column for column in FILES[file] if column != "note"]
    assert [line for line in problems(tmp_path) if line.startswith(file)] == [
        f"{file}:1:{column}: this column is missing" for column in wanted
    ]


def test_lexicon_a_misspelt_column_is_named_with_the_columns_there_are(tmp_path: Path) -> None:
    path = write_lexicon(tmp_path) / "covid.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("kind", "Kinds", 1), encoding="utf-8")
    assert problems(tmp_path) == (
        "covid.csv:1:kind: this column is missing",
        "covid.csv:1:Kinds: unknown column; the columns are term, kind, note",
    )


@pytest.mark.parametrize("file", FILES)
def test_lexicon_an_unknown_column_is_named_and_its_cells_are_passed_over(tmp_path: Path, file: str) -> None:
    path = write_lexicon(tmp_path) / file
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{header},remark", *(f"{row},x" for row in rows)]), encoding="utf-8")
    known = ", ".join(FILES[file])
    assert problems(tmp_path) == (f"{file}:1:remark: unknown column; the columns are {known}",)


def test_lexicon_another_encoding_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = write_lexicon(tmp_path) / "terms.csv"
    before = path.read_bytes()
    path.write_bytes(before + "cavity,Höhle,report,no,,yes,\n".encode("cp1252"))
    line = before.count(b"\n") + 1
    assert problems(tmp_path) == (f"terms.csv:{line}:-: the file is not UTF-8; save it as 'CSV UTF-8'",)


def test_lexicon_all_mistakes_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    rows = {
        "terms.csv": ["cavty,,report,no,,yes,"],
        "cues.csv": ["x,cue,gone,left,far,,"],
        "covid.csv": ["x,y,"],
    }
    places = [line.split(": ")[0] for line in problems(write_lexicon(tmp_path, rows))]
    assert sorted(places) == [
        "covid.csv:3:kind",
        "cues.csv:5:assertion",
        "cues.csv:5:direction",
        "cues.csv:5:reach",
        "terms.csv:4:finding",
        "terms.csv:4:term",
    ]


def test_lexicon_blank_lines_and_a_spreadsheets_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    expected = load_lexicon(write_lexicon(tmp_path)).terms
    for name in FILES:
        text = (tmp_path / name).read_text(encoding="utf-8")
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n,,\r\n\r\n").encode())
    assert [term.phrases for term in load_lexicon(tmp_path).terms] == [term.phrases for term in expected]


def test_lexicon_phrases_expand_as_documented(tmp_path: Path) -> None:
    cavity, cyst = load_lexicon(write_lexicon(tmp_path)).terms
    first = {("cavity",), ("cavern",)}
    assert set(cavity.phrases) == first | {(*word, space) for word in first for space in ("space", "hole")}
    assert cyst.phrases == (("cyst", "<2>", "hole|space"),)


def test_lexicon_version_follows_the_content_and_not_the_place_or_the_line_ends(tmp_path: Path) -> None:
    version = load_lexicon(write_lexicon(tmp_path / "one")).version
    other = write_lexicon(tmp_path / "two")
    terms = other / "terms.csv"
    terms.write_bytes(terms.read_bytes().replace(b"\n", b"\r\n"))
    assert load_lexicon(other).version == version
    terms.write_bytes(terms.read_bytes() + b"cavity,hollow,report,no,,yes,\r\n")
    assert load_lexicon(other).version != version


def test_lexicon_check_says_that_our_own_is_good(
    capsys: pytest.CaptureFixture[str], lexicon: Lexicon
) -> None:
    assert main(["check"]) == DONE
    assert f"lexicon {lexicon.version} is good: 5 findings" in capsys.readouterr().out


def test_lexicon_check_lists_the_mistakes_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_lexicon(tmp_path, {"covid.csv": ["sars,names,"]})
    assert main(["check", str(folder)]) == FAILED
    assert "covid.csv:3:kind: must be name or" in capsys.readouterr().err
