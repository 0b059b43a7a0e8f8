"""The page "Split and export": what it shows, changes and refuses, drawn by Streamlit's own test runner."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from annotate.app_settings import store_of
from annotate.decision_forms import Decision
from annotate.decisions import save
from annotate.people import add_user
from annotate.split_store import last_choice, read_split
from annotate.store import Store
from annotate.store_tables import RECORD, SPLIT
from nlp.lexicon import load_lexicon

LEXICON = load_lexicon()
GGO = LEXICON.finding_keys[0]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store that the app opens: nobody and nothing in it."""
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    monkeypatch.setenv("LESION_LABELS_DB", url)
    store = store_of(url)
    yield store
    store.close()


@pytest.fixture
def example(example_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The same with the example set in it; anna is adjudicator, bea annotates."""
    path = shutil.copy(example_sqlite, tmp_path / "example.db")
    monkeypatch.setenv("LESION_LABELS_DB", f"sqlite:///{path}")
    store = store_of(f"sqlite:///{path}")
    with store.write() as connection:
        for name in ("anna", "bea"):
            add_user(connection, name, now=0)
    yield store
    store.close()


def open_page(user: str = "anna") -> AppTest:
    test = AppTest.from_string("from annotate.pages.split_export import page\npage()", default_timeout=30)
    test.query_params["user"] = user
    return test.run()


def use_button(test: AppTest) -> Button:
    return next(each for each in test.button if each.label == "Use this split")


def shown(test: AppTest) -> str:
    """All words on the page."""
    assert not test.exception, test.exception
    kinds = (
        test.title,
        test.header,
        test.markdown,
        test.caption,
        test.warning,
        test.success,
        test.error,
        test.code,
    )
    texts = [str(element.value) for kind in kinds for element in kind]
    return "\n".join([*texts, *(str(each.proto.body) for each in test.html)])


def press(test: AppTest, label: str) -> AppTest:
    (button,) = [each for each in test.button if each.label == label]
    assert not button.disabled
    return button.click().run()


def sets_of(store: Store) -> dict[str, str]:
    with store.read() as connection:
        return read_split(connection)


def test_pages_split_export_of_an_empty_database_says_what_to_do(desk: Store) -> None:
    said = shown(open_page())
    assert "nothing to split or export yet" in said and "python -m annotate.load" in said


def test_pages_split_export_shows_coverage_and_uses_the_split(example: Store) -> None:
    page = open_page()
    said = shown(page)
    assert all(finding.name in said for finding in LEXICON.findings) and "target" in said
    assert "61 patients would get a set, 0 stay where they are" in said
    assert [(metric.label, metric.value) for metric in page.metric][-1] == ("Patients without a set", "61")
    page = press(page, "Use this split")
    assert "61 patients got a set; 0 of them had another before" in shown(page)
    sets = sets_of(example)
    assert len(sets) == 61 and set(sets.values()) == {"train", "val", "test"}
    page = page.run()
    assert "Everybody has a set" in shown(page) and use_button(page).disabled
    assert page.metric[-1].value == "0"


def test_pages_split_export_recomputes_when_the_ratios_move(example: Store) -> None:
    page = open_page()
    before = page.html[0].proto.body
    page = page.slider[0].set_range(80, 90).run()
    assert "train **80** · val **10** · test **10**" in shown(page)
    assert page.html[0].proto.body != before
    page = press(page, "Use this split")
    with example.read() as connection:
        last = last_choice(connection)
    assert last is not None and last.choice.ratios == (80, 10, 10) and last.actor == "anna"
    assert tuple(open_page().slider[0].value) == (80, 90)  # the next person sees what was chosen


def test_pages_split_export_leaves_dividing_anew_to_adjudicators(example: Store) -> None:
    page = press(open_page("bea"), "Use this split")
    first = sets_of(example)
    assert page.run().checkbox[0].disabled
    page = open_page("anna")
    page = page.number_input[0].set_value(3).run()
    assert use_button(page).disabled  # another seed moves nobody
    page = press(page.checkbox[0].check().run(), "Use this split")
    assert "had another before" in shown(page)
    assert sets_of(example) != first and set(sets_of(example)) == set(first)


def test_pages_split_export_says_which_finding_cannot_be_everywhere(example: Store) -> None:
    with example.write() as connection:
        for row in connection.execute(RECORD.select()).all():
            held = row.patient_id == "p01"
            labels = {**row.labels, GGO: "1" if held else "0"}
            connection.execute(RECORD.update().where(RECORD.c.id == row.id).values(labels=labels))
    said = shown(open_page())
    assert "only 1 patient has it: it cannot be in all 3 sets" in said and "missing" in said


def test_pages_split_export_refuses_a_leak_by_name(example: Store) -> None:
    with example.write() as connection:
        images = connection.execute(RECORD.select().order_by(RECORD.c.patient_id)).all()
        sides = {"p01": "train", "p02": "test"}
        rows = [{"patient_id": name, "split": side} for name, side in sides.items()]
        connection.execute(SPLIT.insert(), rows)
    first = {row.patient_id: row.image for row in reversed(images)}
    page = open_page()
    table = f"image_a,image_b\n{first['p01']},{first['p02']}\n".encode()
    page = page.file_uploader[0].upload("pairs.csv", table, "text/csv").run()
    said = shown(page)
    assert "This split is refused" in said and "p01, p02: train and test" in said


def test_pages_split_export_offers_files_and_names_what_is_unsettled(example: Store) -> None:
    page = open_page()
    assert page.get("download_button")[0].proto.label == "Download 85 records"
    page = page.checkbox[1].check().run()
    assert "no record is reviewed yet" in shown(page) and not page.get("download_button")
    with example.write() as connection:
        row = connection.execute(RECORD.select().limit(1)).one()
        for place, name in enumerate(("anna", "bea")):
            labels = {**row.labels, GGO: str(place)}
            save(
                connection,
                example.findings,
                name,
                [Decision(f"op-{place:08}", row.id, "confirm", labels)],
                now=1,
            )
    page = press(open_page(), "Look again")
    assert "1 cells of 1 records are not settled" in shown(page)
    page = page.checkbox[1].check().run()
    assert page.get("download_button")[0].proto.label == "Download 1 records"
    page = page.radio[0].set_value("label-studio").run()
    assert page.checkbox[2].disabled and page.get("download_button")[0].proto.label == "Download 1 records"


def test_pages_split_export_gives_files_to_adjudicators_only(example: Store) -> None:
    page = open_page("bea")
    assert not page.exception and not page.get("download_button")
    assert any("adjudicators" in each.value for each in page.info)
