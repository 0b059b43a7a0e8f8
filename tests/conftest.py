"""What the tests of the engine share: one reader, short ways to ask it, and the texts at hand."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import pyarrow as pa
import pytest

from nlp.aggregate import of_panel, states
from nlp.batch import Reader
from nlp.lexicon import Lexicon, load_lexicon
from nlp.schema import RECORD_COLUMNS

hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ROOT.parent / "shared" / "data" / "text"
CORPORA = (
    (ROOT / "examples" / "captions.csv", "caption"),
    (TEXTS / "captions_reference.csv", "caption"),
    (TEXTS / "open_reference.csv", "text"),
)


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


@pytest.fixture(scope="session", params=CORPORA, ids=lambda corpus: corpus[0].stem)
def corpus(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The distinct texts of one file at hand; a test that asks for it runs once per file."""
    path, column = request.param
    if not path.exists():
        pytest.skip(f"{path.name} is not here: it is lent for measuring and no part of the project")
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(dict.fromkeys(row[column] for row in csv.DictReader(file)))
