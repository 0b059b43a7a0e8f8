"""The app around the desk: the entrance, the empty database, the pages, and how it is started."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from annotate import app_settings
from annotate.app_settings import settings, store_of
from annotate.pages.annotate import SCRIPTS
from annotate.people import role_of
from annotate.store import DEFAULT_URL, open_store
from annotate.store_tables import WORK

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "annotate" / "pages"
DESK = "from annotate.pages import annotate; annotate.page()"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The app is started with an empty database."""
    address = f"sqlite:///{tmp_path / 'labels.db'}"
    monkeypatch.setenv("LESION_LABELS_DB", address)
    return address


def run(name: str | None = "anna", **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app_streamlit.py"), default_timeout=30)
    if name is not None:
        app.query_params["user"] = name
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def words(app: AppTest) -> str:
    return " ".join(
        str(each.value) for each in (*app.title, *app.markdown, *app.error, *app.warning, *app.caption)
    )


def test_app_asks_for_a_name_and_makes_the_first_adjudicator(url: str) -> None:
    app = run(None)
    assert not app.exception and "Lesion labels" in words(app)
    app.text_input[0].input("anna")
    app.button[0].click().run()
    assert not app.exception and "Nothing is loaded" in words(app)
    assert app.query_params["user"] in ("anna", ["anna"])
    run("bea")
    with store_of(url).read() as connection:
        assert (role_of(connection, "anna"), role_of(connection, "bea")) == ("adjudicator", "annotator")


@pytest.mark.parametrize("name", ["imported", "a\nb", "x" * 200])
def test_app_refuses_names_that_cannot_be(name: str, url: str) -> None:
    app = run(name)
    assert not app.exception and len(app.error) == 1


def test_app_loads_the_example_into_an_empty_database(url: str) -> None:
    app = run()
    (button,) = [each for each in app.button if each.label == "Load the example"]
    button.click().run()
    assert not app.exception and not app.error
    with closing(open_store(url)) as store, store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM record").scalar() == 85


def test_app_says_what_is_wrong_with_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.db").write_text("this is no database" * 100)
    monkeypatch.setenv("LESION_LABELS_DB", f"sqlite:///{tmp_path / 'other.db'}")
    app = run()
    assert not app.exception and "cannot be opened" in app.error[0].value


def test_app_believes_a_proxy_only_when_asked_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LESION_LABELS_USER_HEADER", "X-Forwarded-User")
    app = run("anna")  # a typed name counts for nothing now
    assert not app.exception and r"X\-Forwarded\-User" in app.error[0].value


def test_app_opens_the_desk_where_there_is_work(
    example_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copy(example_sqlite, tmp_path / "example.db")
    monkeypatch.setenv("LESION_LABELS_DB", f"sqlite:///{copy}")
    app = run()
    assert not app.exception and not app.error


def test_app_ranks_suspects_when_they_are_asked_for_first(
    example_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'example.db')}"
    monkeypatch.setenv("LESION_LABELS_DB", url)
    app = AppTest.from_string(DESK, default_timeout=60)
    app.query_params["user"] = "anna"
    app.run()
    app.selectbox(key="desk_order").set_value("suspects").run()
    assert not app.exception and not app.error
    with closing(open_store(url)) as store, store.read() as connection:
        assert connection.scalar(sa.select(sa.func.max(WORK.c.suspicion))) > 0


def test_app_settings_come_from_the_command_line_then_the_environment() -> None:
    found = {"LESION_LABELS_DB": "sqlite:///team.db", "LESION_LABELS_IMAGES": "pictures"}
    assert settings([], {}).url == DEFAULT_URL
    assert settings([], found).url == "sqlite:///team.db"
    chosen = settings(["--db", "mine.db", "--user-header", "X-User"], found)
    assert (chosen.url, chosen.images, chosen.user_header) == ("mine.db", Path("pictures"), "X-User")
    with pytest.raises(SystemExit):
        settings(["--database", "x"], {})


def test_app_settings_share_one_store(url: str) -> None:
    assert store_of(url) is store_of(url)
    assert app_settings.app_store() is store_of(url)


def test_app_scripts_are_all_there_and_set_no_markup() -> None:
    assert sorted(SCRIPTS) == sorted(path.name for path in PAGES.glob("*.js"))
    text = "\n".join((PAGES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|https?://(?!www\.w3\.org)", text
    )


def test_app_is_short() -> None:
    assert len((ROOT / "app_streamlit.py").read_text(encoding="utf-8").splitlines()) < 100
