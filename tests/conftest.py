"""What the tests of the engine share: one reader, short ways to ask it, and the texts at hand."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from annotate.load import load
from annotate.store import Store, open_store
from nlp.aggregate import of_panel, states
from nlp.batch import Reader
from nlp.entries import Context, CovidTerm, Cue, Lexicon, Term
from nlp.extract import extract
from nlp.lexicon import DEFAULT_FOLDER, FILES, load_lexicon
from nlp.phrases import is_gap
from nlp.schema import RECORD_COLUMNS
from tests.postgres import fresh_database, programs, running

if TYPE_CHECKING:  # the browser's library loads where a test asks for it
    from playwright.sync_api import Browser

    from benchmarks.desk_browser import Server

hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
TEXTS = SHARED / "data" / "text"
CORPORA = (
    (ROOT / "examples" / "captions.csv", "caption"),
    (TEXTS / "captions_reference.csv", "caption"),
    (TEXTS / "open_reference.csv", "text"),
)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real images, texts and weights that lie beside the project where it is measured."""
    if not SHARED.is_dir():
        pytest.skip("the real data is not beside this copy of the project")
    return SHARED


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return load_lexicon()


@pytest.fixture(scope="session")
def shared_reader(lexicon: Lexicon) -> Reader:
    """The reader that commands use, with its caches; they fill up as tests run."""
    return Reader(lexicon)


@pytest.fixture(scope="session")
def plain_reader(lexicon: Lexicon) -> Reader:
    """The reader that skips nothing and remembers nothing."""
    return Reader(lexicon, plain=True)


@pytest.fixture(scope="session")
def states_of(shared_reader: Reader) -> Callable[..., dict[str, str]]:
    """``states_of(text, panel)``: the states of the findings that the text mentions."""

    def ask(text: str, panel: str = "") -> dict[str, str]:
        record = of_panel(shared_reader.read_text(text), panel)
        found = states(record.mentions, shared_reader.lexicon.finding_keys)
        return {key: state for key, state in found.items() if state != "not_mentioned"}

    return ask


@pytest.fixture(scope="session")
def covid_of(shared_reader: Reader) -> Callable[..., str]:
    """``covid_of(text, panel)``: what the text says of COVID."""
    return lambda text, panel="": of_panel(shared_reader.read_text(text), panel).covid


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., pa.RecordBatch]:
    """``make_batch(captions, panel=[...])``: records as the reading step hands them over."""

    def make(captions: Sequence[str], **columns: Sequence[str]) -> pa.RecordBatch:
        count = len(captions)
        numbered = {name: [f"{name}{i}" for i in range(count)] for name in ("image", "patient_id")}
        values = {**numbered, "caption": captions, **columns}
        arrays = [pa.array(values.get(name, [""] * count), pa.string()) for name in RECORD_COLUMNS]
        return pa.record_batch(arrays, names=list(RECORD_COLUMNS))

    return make


@pytest.fixture(scope="session")
def grow_lexicon(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``grow_lexicon({"terms.csv": [row, ...]})``: a copy of our lexicon with rows added at the end of its files."""

    def grow(rows: Mapping[str, Sequence[str]]) -> Path:
        folder = tmp_path_factory.mktemp("lexicon")
        for name in FILES:
            added = "".join(f"{row}\n" for row in rows.get(name, ()))
            (folder / name).write_text(
                (DEFAULT_FOLDER / name).read_text(encoding="utf-8") + added, encoding="utf-8"
            )
        return folder

    return grow


@pytest.fixture(scope="session", params=CORPORA, ids=lambda corpus: corpus[0].stem)
def corpus(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The distinct texts of one file at hand; a test that asks for it runs once per file."""
    path, column = request.param
    if not path.exists():
        pytest.skip(f"{path.name} is not here: it is lent for measuring and no part of the project")
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(dict.fromkeys(row[column] for row in csv.DictReader(file)))


# ---- the store, on both databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL that runs for the session."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed here (Debian: apt install postgresql)")
    with running(folder) as url:
        yield url


@pytest.fixture(params=("sqlite", "postgresql"))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, empty database; a test that asks for it runs once per kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'labels.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of the lexicon's findings."""
    with closing(open_store(store_url)) as opened:
        yield opened


@pytest.fixture(scope="session")
def example_tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """labels.csv and mentions.csv of the example set."""
    folder = tmp_path_factory.mktemp("example")
    labels, mentions = folder / "labels.csv", folder / "mentions.csv"
    extract(ROOT / "examples" / "captions.csv", output=labels, mentions=mentions)
    return labels, mentions


@pytest.fixture(scope="session")
def example_sqlite(tmp_path_factory: pytest.TempPathFactory, example_tables: tuple[Path, Path]) -> Path:
    """A database file with the example set, to be copied."""
    target = tmp_path_factory.mktemp("example_store") / "labels.db"
    _load_example(str(target), example_tables)
    return target


@pytest.fixture(scope="session")
def example_postgres(postgres: str, example_tables: tuple[Path, Path]) -> Iterator[str]:
    """The name of a PostgreSQL database with the example set, to be copied."""
    with fresh_database(postgres) as url:
        _load_example(url, example_tables)
        yield str(sa.make_url(url).database)


@pytest.fixture(params=("sqlite", "postgresql"))
def example_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with the example set in it: 85 records with their mentions and images; once per kind of database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = str(shutil.copy(request.getfixturevalue("example_sqlite"), tmp_path / "example.db"))
        else:
            template = request.getfixturevalue("example_postgres")
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres"), template))
        yield stack.enter_context(closing(open_store(url)))


def _load_example(url: str, tables: tuple[Path, Path]) -> None:
    labels, mentions = tables
    with closing(open_store(url)) as store:
        load(store, labels, images=ROOT / "examples" / "images", mentions=mentions)


# ---- the app and a browser before it


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit's ``AppTest`` leaves its page as ``__main__``: worker processes of later tests would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def server(example_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app with the example and room for many annotators: one for all tests, each with a name of its own."""
    from benchmarks.desk_browser import serving
    from tests.desk_tools import desk_database

    folder = tmp_path_factory.mktemp("desk")
    with serving(desk_database(example_sqlite, folder), folder / "log") as running:
        yield running


@pytest.fixture(scope="session")
def desk_store(server: Server) -> Iterator[Store]:
    """The store behind that app."""
    with closing(open_store(server.database)) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; not for the session: its event loop would lie in the way of others."""
    from benchmarks.desk_browser import chromium

    with chromium() as opened:
        yield opened


# ---- texts made of what the lexicon knows, and of noise

NOISE = (
    *(". ", ", ", "; ", ": ", "\n", "\n\n", " - ", "-\n", " (A) ", " (B-C) ", "A. ", "(", ")", "[", "['", "']", "', '", '"', "'"),
    *("?", "!", "/", "\\n", "•", "–", "â€“", "\u00ad", "\u200b", "\u2028", "\u3000", "İ", "ß", "🫁", "\x00", "FINDINGS: ", "INDICATION: "),
    *("COMPARISON: ", "day 3", "20 Jan", "Fig. 2 ", "and ", "the ", "CT shows ", "was not observed", "COVID-19 ", "GGO", "  "),
)  # fmt: skip
JOINTS = (" ", " ", " ", "-", "", "\n", " big ")


@st.composite
def fragments(draw: st.DrawFn, entries: Sequence[Term | Cue | Context | CovidTerm]) -> str:
    """A phrase of the lexicon as someone may write it: with capitals, plurals, hyphens, glued or misspelt."""
    phrase = draw(st.sampled_from(draw(st.sampled_from(entries)).phrases))
    words = [draw(st.sampled_from(slot.split("|"))) for slot in phrase if not is_gap(slot)]
    text = draw(st.sampled_from(JOINTS)).join(words).replace("questionmark", "?")
    place = draw(st.integers(0, len(text)))
    swapped = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
    return draw(st.sampled_from((text, text, f" {text} ", text.upper(), text.title(), text + "s", swapped)))


@pytest.fixture(scope="session")
def generated(lexicon: Lexicon) -> st.SearchStrategy[str]:
    """Texts for properties: ``data.draw(generated)``."""
    entries = (*lexicon.terms, *lexicon.cues, *lexicon.contexts, *lexicon.covid)
    pieces = st.one_of(fragments(entries), st.sampled_from(NOISE), st.text(max_size=3))
    return st.lists(pieces, max_size=12).map("".join)
