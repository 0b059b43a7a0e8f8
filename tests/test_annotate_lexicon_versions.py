"""Versions of the lexicon in the store: what is active, kept, downloaded, and who may change it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from annotate.desk_data import Work, desk_data
from annotate.lexicon_edit import (
    as_term,
    decide_proposals,
    open_proposals,
    replaced,
    rows_of,
    text_of,
    with_term,
)
from annotate.lexicon_versions import (
    OWN,
    activate,
    active_lexicon,
    active_version,
    as_zip,
    find_version,
    load_files,
    own_version,
    versions,
)
from annotate.people import add_user
from annotate.proposals import Offer, offer
from annotate.store import Store
from nlp.errors import LexiconError, StoreError
from nlp.lexicon import FILES, load_lexicon


@pytest.fixture
def people(store: Store) -> Store:
    with store.write() as connection:
        add_user(connection, "adele")
        add_user(connection, "anna")
    return store


def edited(term: str) -> dict[str, str]:
    files = dict(own_version().files)
    return files | {"terms.csv": with_term(files["terms.csv"], "consolidation", term)}


def test_lexicon_versions_start_with_the_toolkits_own(people: Store) -> None:
    with people.read() as connection:
        active = active_version(connection)
        assert (active.version, active.author, active.created) == (load_lexicon().version, OWN, None)
        assert [each.version for each in versions(connection)] == [active.version]
    assert load_files(active.files, people.findings).version == active.version


def test_lexicon_versions_give_people_the_names_of_the_active_one(people: Store) -> None:
    files = dict(own_version().files)
    files["findings.csv"] = files["findings.csv"].replace("Consolidation", "Solid lung")
    lexicon = load_files(files, people.findings)
    with people.write() as connection:
        activate(connection, "adele", files, lexicon.version, base=own_version().version, now=1)
        assert active_lexicon(connection, people.findings).version == lexicon.version
    told = desk_data(people, "anna", Work())["findings"]
    assert "Solid lung" in [each["name"] for each in told]  # type: ignore[attr-defined]


def test_lexicon_versions_keep_parent_and_author_and_can_go_back(people: Store) -> None:
    files, own = edited("airless lung"), own_version()
    version = load_files(files, people.findings).version
    with people.write() as connection:
        activate(connection, "adele", files, version, base=own.version, now=1.0)
    with people.read() as connection:
        active = active_version(connection)
        assert (active.version, active.parent, active.author) == (version, own.version, "adele")
        assert {each.version for each in versions(connection)} == {version, own.version}
    with people.write() as connection:
        activate(connection, "adele", own.files, own.version, base=version, now=2.0)
    with people.read() as connection:
        assert active_version(connection).version == own.version
        assert find_version(connection, version).files == files
        with pytest.raises(StoreError, match="no lexicon version 'x'"):
            find_version(connection, "x")


def test_lexicon_versions_refuse_annotators_and_late_edits(people: Store) -> None:
    files, own = edited("airless lung"), own_version()
    version = load_files(files, people.findings).version
    with pytest.raises(StoreError, match="needs the role adjudicator"), people.write() as connection:
        activate(connection, "anna", files, version, base=own.version, now=1.0)
    with people.write() as connection:
        activate(connection, "adele", files, version, base=own.version, now=1.0)
    with pytest.raises(StoreError, match="became active meanwhile"), people.write() as connection:
        activate(connection, "adele", own.files, own.version, base=own.version, now=2.0)


def test_lexicon_versions_name_every_mistake_by_line_and_keep_the_findings(people: Store) -> None:
    files = edited("@nothing opacity")
    files["cues.csv"] += "not at all,cue,maybe,forward,,,\n"
    with pytest.raises(LexiconError) as caught:
        load_files(files, people.findings)
    line = files["terms.csv"].splitlines().index("consolidation,@nothing opacity,report,yes,,yes,") + 1
    assert any(problem.startswith(f"terms.csv:{line}:term: ") for problem in caught.value.problems)
    assert any(problem.startswith("cues.csv:") for problem in caught.value.problems)
    with pytest.raises(LexiconError, match="database of its own"):
        load_files(own_version().files, people.findings[:-1])
    with pytest.raises(LexiconError, match=r"cues\.csv:1:-: the file is missing"):
        load_files({name: text for name, text in files.items() if name != "cues.csv"}, people.findings)


def test_lexicon_versions_zip_gives_extract_the_same_version(people: Store, tmp_path: Path) -> None:
    files = edited("airless lung")
    with zipfile.ZipFile(io.BytesIO(as_zip(files))) as archive:
        archive.extractall(tmp_path)
    assert load_lexicon(tmp_path / "lexicon").version == load_files(files, people.findings).version
    assert as_zip(files) == as_zip(files)


@pytest.mark.parametrize("name", FILES)
def test_lexicon_edit_unchanged_rows_are_the_same_text(name: str) -> None:
    text = own_version().files[name]
    assert text_of(name, rows_of(text), text) == text
    assert rows_of(text_of(name, rows_of(text)[1:], text)) == rows_of(text)[1:]


def test_lexicon_edit_rows_of_one_finding_go_back_to_their_places() -> None:
    rows = [{"n": letter} for letter in "abcde"]
    done = replaced(rows, [1, 3], [(3, {"n": "D"}), (None, {"n": "new"})])
    assert [row["n"] for row in done] == ["a", "c", "D", "new", "e"]
    assert replaced([], [], [(None, {"n": "x"})]) == [{"n": "x"}]
    assert replaced(rows, [], [(None, {"n": "x"})])[-1] == {"n": "x"}


def test_lexicon_edit_a_term_of_marked_words_can_be_read(people: Store) -> None:
    for phrase in ("Air-less LUNG (both)?", "a|b @c <2> d", "“white” lung’s base"):
        load_files(edited(as_term(phrase)), people.findings)
    assert as_term("a|b @c <2> d?") == "ab c 2 d"


def test_lexicon_edit_proposals_are_decided_once(example_store: Store) -> None:
    with example_store.write() as connection:
        add_user(connection, "adele")
        add_user(connection, "anna")
        offer(connection, "anna", Offer("op-000001", 1, "consolidation", 0, 8), now=1.0)
        (found,) = open_proposals(connection)
        assert (found.finding, found.annotator, found.record_id) == ("consolidation", "anna", 1)
        with pytest.raises(StoreError, match="adjudicator"):
            decide_proposals(connection, "anna", [found.id], "declined", now=2.0)
        decide_proposals(connection, "adele", [found.id], "taken", now=2.0)
        assert open_proposals(connection) == []
