"""The pages Adjudicate, Agreement and Progress as plain Streamlit runs them: what they show, and to whom."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from annotate.adjudication_cases import case_of, queue
from annotate.app_settings import store_of
from annotate.pages import adjudicate_steps
from annotate.people import role_of
from annotate.store import Store
from annotate.store_tables import ADJUDICATION
from nlp.lexicon import load_lexicon
from nlp.schema import COVID
from tests.made_people import CANARY, add_people, add_records, read, same

GGO, CSLD = load_lexicon().finding_keys[:2]
PAGES = ("adjudicate", "agreement", "progress")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the app opens: nobody and nothing in it."""
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    monkeypatch.setenv("LESION_LABELS_DB", url)
    monkeypatch.setattr(adjudicate_steps, "_SOONEST", 0.0)
    store = store_of(url)
    yield store
    store.close()


def fill(store: Store) -> None:
    """Anna and bob read ten records and differ on two of them."""
    add_people(store, "head", "anna", "bob")
    add_records(store, 12, said={GGO: "1"})
    now = time.time() - 3_600
    read(store, "anna", same(range(1, 11), **{GGO: "1"}), now=now)
    read(store, "bob", {each: {GGO: "1" if each > 2 else "0"} for each in range(1, 11)}, now=now)


def open_page(name: str, user: str = "head", **query: str) -> AppTest:
    """A page as this user sees it first."""
    script = f"from annotate.pages.{name} import page\npage()"
    test = AppTest.from_string(script, default_timeout=30)
    test.query_params["user"] = user
    for key, value in query.items():
        test.query_params[key] = value
    return test.run()


def shown(test: AppTest) -> str:
    """All words on the page, as Markdown shows them."""
    assert not test.exception, test.exception
    kinds = (test.title, test.markdown, test.caption, test.warning, test.info, test.success, test.error)
    texts = [re.sub(r"\\(\W)", r"\1", str(element.value)) for kind in kinds for element in kind]
    return "\n".join(
        [*texts, *(str(each.proto.body) for each in test.html), *(each.label for each in test.button)]
    )


def verdicts(store: Store) -> list[tuple[int, bool]]:
    with store.read() as connection:
        chosen = sa.select(ADJUDICATION.c.record_id, ADJUDICATION.c.withdrawn).order_by(ADJUDICATION.c.id)
        return [(row.record_id, row.withdrawn) for row in connection.execute(chosen)]


def press(test: AppTest, label: str) -> AppTest:
    (button,) = [each for each in test.button if each.label == label]
    return button.click().run()


# ---- every page, whatever the database holds


@pytest.mark.parametrize("page", PAGES)
def test_pages_people_of_an_empty_database_say_so(desk: Store, page: str) -> None:
    add_people(desk, "head")
    assert shown(open_page(page))


@pytest.mark.parametrize("page", PAGES)
def test_pages_people_with_one_annotator_only(desk: Store, page: str) -> None:
    add_people(desk, "head", "anna")
    add_records(desk, 3)
    read(desk, "anna", same([1, 2]))
    assert shown(open_page(page))


@pytest.mark.parametrize("page", PAGES)
def test_pages_people_where_all_agree(desk: Store, page: str) -> None:
    add_people(desk, "head", "anna", "bob")
    add_records(desk, 4)
    for name in ("anna", "bob"):
        read(desk, name, same(range(1, 5)))
    words = shown(open_page(page))
    assert "nan" not in words.lower().split()


# ---- adjudicate


def test_pages_people_adjudicate_is_for_adjudicators(desk: Store) -> None:
    fill(desk)
    test = open_page("adjudicate", "anna")
    assert "This page is for the role adjudicator" in shown(test) and not test.button


def test_pages_people_adjudicate_takes_a_side_names_the_readers_then_and_undoes(desk: Store) -> None:
    fill(desk)
    test = open_page("adjudicate")
    words = shown(test)
    assert "Record 1" in words and "≠ differ" in words and "Reader A" in words
    assert "anna" not in words and "bob" not in words
    with desk.read() as connection:
        side = case_of(connection, 1, "head").columns[0].labels
    test = press(test, "Take Reader A")
    assert verdicts(desk) == [(1, False)] and "Record 2" in shown(test)
    assert "Record 1 is settled." in shown(test) and "was anna" in shown(test)
    with desk.read() as connection:
        verdict = case_of(connection, 1, "head").verdict
    assert verdict is not None and verdict.labels == side
    test = press(test, "Undo record 1")
    assert verdicts(desk) == [(1, False), (1, True)] and "**Record 1**" in shown(test)
    test = press(press(test, "Take the text"), "Take Reader B")
    assert "Nothing waits" in shown(test)
    with desk.read() as connection:
        assert queue(connection) == []


def test_pages_people_adjudicate_own_verdict_needs_every_finding_and_a_reason(desk: Store) -> None:
    fill(desk)
    test = open_page("adjudicate")
    assert "Still to choose: Ground-glass opacity" in shown(test)
    controls = {each.label: each for each in test.button_group}
    controls["Ground-glass opacity"].select("-1")
    test = test.run()
    assert "No source says this of Ground-glass opacity" in shown(test)
    test = press(test, "Save my verdict")
    assert verdicts(desk) == [] and "give a reason" in shown(test)
    test.text_input[0].set_value("hard to tell")
    press(test, "Save my verdict")
    with desk.read() as connection:
        verdict = case_of(connection, 1, "head").verdict
    assert verdict is not None and (verdict.labels[GGO], verdict.reason) == ("-1", "hard to tell")


def test_pages_people_adjudicate_tells_of_a_change_meanwhile(desk: Store) -> None:
    fill(desk)
    test = open_page("adjudicate")
    read(desk, "bob", {1: {CSLD: "1"}}, now=time.time())
    test = press(test, "Take Reader A")
    assert "record 1 was changed by somebody meanwhile" in shown(test) and verdicts(desk) == []


def test_pages_people_adjudicate_held_key_counts_once(desk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjudicate_steps, "_SOONEST", 60.0)
    fill(desk)
    test = open_page("adjudicate")
    test = press(press(test, "Take Reader A"), "Take Reader A")
    assert verdicts(desk) == [(1, False)] and "**Record 2**" in shown(test)


def test_pages_people_adjudicate_later_and_links(desk: Store) -> None:
    fill(desk)
    test = press(open_page("adjudicate"), "Later")
    assert "**Record 2**" in shown(test)
    assert "**Record 1**" in shown(press(test, "Later"))  # put off, not lost
    assert "**Record 7**" in shown(open_page("adjudicate", record="7"))
    assert "there is no record 77" in shown(open_page("adjudicate", record="77"))


def test_pages_people_adjudicate_shows_captions_as_text_and_tells_own_readings(desk: Store) -> None:
    fill(desk)
    read(desk, "head", {1: {GGO: "1", COVID: "1"}}, now=time.time())
    words = shown(open_page("adjudicate"))
    assert CANARY in words and "<script>" not in words and "&lt;script&gt;" in words
    assert "You are one of this record's readers" in words


# ---- agreement


def tables(test: AppTest) -> list[str]:
    return [each.value.to_csv() for each in test.dataframe]


def test_pages_people_agreement_shows_measures_matrix_and_records_to_the_head(desk: Store) -> None:
    fill(desk)
    test = open_page("agreement")
    people, text, matrix, records = tables(test)
    assert "Ground-glass opacity,10,6,2" in people and "undefined: all annotators agree" in people
    assert "Krippendorff" in people and "Krippendorff" not in text
    assert "anna,," in matrix and "· 10" in matrix
    assert "images/000001.png" in records and "/annotate?record=1&user=head" in records
    assert "/adjudicate?record=2&user=head" in records
    assert "Where one reading says present" in shown(test) and "Measured before adjudication" in shown(test)
    pair = next(each for each in test.selectbox if each.label == "Records that differ between")
    assert pair.options == ["any two annotators", "anna and bob", "anna and the text", "bob and the text"]
    assert "They do not differ" in shown(pair.select_index(2).run())


def test_pages_people_agreement_keeps_records_from_annotators(desk: Store) -> None:
    fill(desk)
    test = open_page("agreement", "anna")
    assert len(tables(test)) == 3 and "so that readings stay independent" in shown(test)


def test_pages_people_agreement_follows_new_readings(desk: Store) -> None:
    fill(desk)
    assert "Ground-glass opacity,10,6,2" in tables(open_page("agreement"))[0]
    read(desk, "bob", {1: {GGO: "1"}}, now=time.time())
    test = open_page("agreement")
    assert "Ground-glass opacity,10,6,2" in tables(test)[0] and "As it " in shown(test)
    assert "Ground-glass opacity,10,6,1" in tables(press(test, "Look again"))[0]


# ---- progress


def numbers(test: AppTest) -> dict[str, str]:
    return {each.label: str(each.value) for each in test.metric}


def test_pages_people_progress_counts_and_shows_everybody_to_the_head(desk: Store) -> None:
    fill(desk)
    test = open_page("progress")
    assert numbers(test) == {
        "Records done": "10 of 12",
        "Readings done": "20 of 24",
        "Readings left": "4",
        "To adjudicate": "2",
        "Adjudicated": "0",
    }
    people, findings = tables(test)
    assert "anna,10," in people and "bob,10," in people
    assert "Ground-glass opacity,18,2,0,0" in findings
    assert "not enough yet" in shown(test)


def test_pages_people_progress_shows_an_annotator_her_own_work_only(desk: Store) -> None:
    fill(desk)
    test = open_page("progress", "anna")
    people, _ = tables(test)
    assert "anna,10," in people and "bob" not in people
    assert not test.button  # no team section


def test_pages_people_progress_changes_overlap_and_roles(desk: Store) -> None:
    fill(desk)
    test = open_page("progress")
    test.number_input[0].set_value(3)
    test = press(test, "Use this number")
    assert numbers(test)["Readings done"] == "20 of 36"
    test.selectbox[0].select("anna")
    test.radio[0].set_value("adjudicator")
    test = press(test, "Give this role")
    with desk.read() as connection:
        assert role_of(connection, "anna") == "adjudicator"
    test.selectbox[0].select("head")
    test.radio[0].set_value("annotator")
    press(test, "Give this role")
    assert "This page" not in shown(open_page("adjudicate", "anna"))
    with desk.read() as connection:
        assert role_of(connection, "head") == "annotator"
