"""The pages Rules and Suspects as plain Streamlit runs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from annotate.app_settings import store_of
from annotate.decisions import Decision, save
from annotate.lexicon_edit import open_proposals
from annotate.lexicon_versions import active_version, own_version
from annotate.pages.rules_state import draft_of
from annotate.people import add_user
from annotate.proposals import Offer, offer
from annotate.store import Store
from annotate.store_tables import PREDICTION, RECORD


@pytest.fixture
def app(tmp_path: Path, example_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The example set as the app opens it, with an adjudicator and an annotator."""
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'labels.db')}"
    monkeypatch.setenv("LESION_LABELS_DB", url)
    opened = store_of(url)
    with opened.write() as connection:
        add_user(connection, "adele")
        add_user(connection, "anna")
    yield opened
    opened.close()


def open_page(name: str, user: str = "adele") -> AppTest:
    test = AppTest.from_string(f"from annotate.pages.{name} import page\npage()", default_timeout=120)
    test.query_params["user"] = user
    return checked(test.run())


def checked(test: AppTest) -> AppTest:
    assert not test.exception, test.exception
    return test


def press(test: AppTest, words: str) -> AppTest:
    (button,) = [each for each in test.button if each.label.startswith(words)]
    return checked(button.click().run())


def add_term(test: AppTest, finding: str, words: str) -> AppTest:
    next(each for each in test.selectbox if each.label == "Finding").select(finding)
    test.text_input[0].input(words)
    return press(test, "Add the term")


def test_rules_page_adds_a_term_shows_what_changes_and_saves(app: Store) -> None:
    test = add_term(open_page("rules"), "crazy_paving", "bilateral")
    test = press(test, "See what changes")
    numbers = {each.label: each.value for each in test.metric}
    assert int(numbers["Records that change"]) > 0
    assert numbers["People contradicted"] == "0"
    test = press(test, "Save as version")
    assert "records got other labels" in test.success[0].value
    with app.read() as connection:
        active = active_version(connection)
        assert active.parent == own_version().version
        versions = set(
            connection.execute(RECORD.select().with_only_columns(RECORD.c.lexicon_version)).scalars()
        )
    assert versions == {active.version}
    assert "bilateral" in active.files["terms.csv"]
    assert "Nothing is edited." in [each.value for each in test.caption]


def test_rules_page_shows_the_checkers_mistakes(app: Store) -> None:
    test = add_term(open_page("rules"), "consolidation", "@nothing lung")
    test = press(test, "See what changes")
    assert "nothing was read" in test.error[0].value
    assert any("terms.csv:" in str(frame.value) for frame in test.dataframe)
    test = press(test, "Discard edits")
    assert "Nothing is edited." in [each.value for each in test.caption]


def test_rules_page_lets_an_annotator_look_but_not_save(app: Store) -> None:
    test = add_term(open_page("rules", "anna"), "crazy_paving", "bilateral")
    test = press(test, "See what changes")
    assert not [each for each in test.button if each.label.startswith("Save")]
    assert any("adjudicator" in each.value for each in test.info)


def test_rules_page_takes_proposals(app: Store) -> None:
    with app.write() as connection:
        offer(connection, "anna", Offer("op-000001", 1, "consolidation", 0, 9), now=1.0)
        offer(connection, "anna", Offer("op-000002", 1, "crazy_paving", 0, 12), now=1.0)
    test = open_page("rules")
    declines = [each for each in test.button if each.label == "Decline"]
    test = checked(declines[0].click().run())
    (taken,) = [each for each in test.button if each.label == "Add as a term"]
    test = checked(taken.click().run())
    with app.read() as connection:
        assert [each.finding for each in open_proposals(connection)] == ["crazy_paving"]
    test = press(press(test, "See what changes"), "Save as version")
    with app.read() as connection:
        assert open_proposals(connection) == []
        assert "offered by anna" in active_version(connection).files["terms.csv"]


def test_suspects_page_lists_filters_and_links(app: Store) -> None:
    test = open_page("suspects", "anna")
    (table,) = test.dataframe
    assert table.value["score"].is_monotonic_decreasing
    assert table.value["open"].str.contains("/annotate?record=", regex=False).all()
    before = len(table.value)
    reason = next(each for each in test.selectbox if each.label == "Reason")
    test = checked(reason.select("uncertain").run())
    assert 0 < len(test.dataframe[0].value) < before
    assert test.dataframe[0].value["kinds"].str.contains("text uncertain").all()
    assert "Use as the order of work" not in [each.label for each in test.button]
    test = press(open_page("suspects"), "Use as the order of work")
    assert "come first" in test.success[0].value


def test_suspects_page_keeps_what_others_say_from_annotators(app: Store) -> None:
    with app.write() as connection:
        row = connection.execute(RECORD.select().limit(1)).one()
        for place, name in enumerate(("adele", "carl")):
            add_user(connection, name)
            labels = {**row.labels, "consolidation": str(place)}
            mine = [Decision(f"op-{place:08}", row.id, "confirm", labels)]
            save(connection, app.findings, name, mine, now=1)
    (seen,) = open_page("suspects", "adele").dataframe
    assert seen.value["kinds"].str.contains("readers disagree").any()
    (blind,) = open_page("suspects", "anna").dataframe
    words = " ".join([*blind.value["reason"], *blind.value["kinds"]])
    assert "reader" not in words and "people" not in words and set(blind.value["decided"]) == {"no"}


def test_rules_page_keeps_what_others_say_from_annotators(app: Store) -> None:
    with app.write() as connection:
        rows = connection.execute(RECORD.select()).all()
        none = dict.fromkeys(rows[0].labels, "0") | {"covid19": ""}
        mine = [Decision(f"op-{row.id:08}", row.id, "confirm", none) for row in rows]
        save(connection, app.findings, "adele", mine, now=1)
        offer(connection, "adele", Offer("op-000001", 1, "consolidation", 0, 9), now=1.0)
    for name, is_told in (("adele", True), ("anna", False)):
        test = press(add_term(open_page("rules", name), "crazy_paving", "bilateral"), "See what changes")
        titles = [each.value for each in test.subheader]
        assert ("Confirmed by people, and the text would say otherwise" in titles) is is_told
        assert any(each.label == "Decline" for each in test.button) is is_told


def test_rules_draft_begins_anew_with_another_version_where_nothing_was_edited() -> None:
    first, second = (replace(own_version(), version=name, files={"terms.csv": name}) for name in "ab")
    session: dict[str, object] = {}
    assert draft_of(session, first).base == "a"
    draft = draft_of(session, second)
    assert (draft.base, draft.files) == ("b", {"terms.csv": "b"})
    draft.put({"terms.csv": "edited"})
    assert draft_of(session, first).files == {"terms.csv": "edited"}


def test_suspects_page_refuses_rows_the_model_was_trained_on(app: Store) -> None:
    with app.read() as connection:
        images = connection.execute(RECORD.select().with_only_columns(RECORD.c.image)).scalars().all()
    header = ",".join(
        ["image", "split", "fold", *(f"{key}_probability" for key in ("covid19", *app.findings))]
    )
    rows = [f"{image},train,{{}}," + ",".join(["0.5"] * (len(app.findings) + 1)) for image in images]
    table = "\n".join([header, *rows])
    test = take_predictions(open_page("suspects"), table.replace("{}", ""))
    assert "the model was trained on this image" in test.error[0].value
    assert count(app) == 0
    test = take_predictions(open_page("suspects"), table.replace("{}", "1"))
    assert not test.error
    assert count(app) == len(images)
    assert any(f"predictions of {len(images)} records" in each.label for each in test.expander)


def test_suspects_page_names_what_is_wrong_with_a_table_that_was_sent(app: Store) -> None:
    tables = {
        b"\n": "no header",
        "image,磨玻璃\na.png,![x](//elsewhere.example)\n".encode("gb18030"): r"\-\-encoding",
        b"image,[x](//elsewhere.example),[x](//elsewhere.example)\na.png,1,2\n": r"\[x\]\(//elsewhere\.example\)",
        b"PK\x03\x04" + bytes(40): "XLSX",
    }
    for table, said in tables.items():
        test = take_predictions(open_page("suspects"), table)
        assert said in test.error[0].value and "/tmp" not in test.error[0].value
        assert count(app) == 0


def take_predictions(test: AppTest, table: str | bytes) -> AppTest:
    content = table.encode() if isinstance(table, str) else table
    uploader = next(each for each in test.file_uploader if each.label == "predictions.csv")
    test = checked(uploader.set_value(("predictions.csv", content, "text/csv")).run())
    return press(test, "Take the predictions")


def count(store: Store) -> int:
    with store.read() as connection:
        return len(connection.execute(PREDICTION.select()).all())
