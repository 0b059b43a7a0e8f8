"""What the explanations show is what was read, and nothing in a text can act on the reader's screen."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.aggregate import of_panel
from nlp.batch import Reader
from nlp.explain import explain_text, highlighted, write_html
from nlp.lexicon import load_lexicon
from nlp.page import LEAST_CONTRAST, NIGHT, PAPER, contrast, readable, tinted

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "h1", "h2", "article"),
    *("p", "ul", "ol", "li", "mark", "sup", "span", "details", "summary"),
}
ATTACK = "<script>alert(1)</script> No consolidation \"><img src=x onerror='alert(2)'> &lt;b&gt; GGO </p>"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_lexicon())


class Page(HTMLParser):
    """Tags, attributes and the text of captions without the codes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.captions: list[str] = []
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if ("class", "caption") in attrs:
            self.captions.append("")
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "p" in self._open and "sup" not in self._open and "article" in self._open:
            self.captions[-1] += data
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)


def plain(html: str) -> str:
    """The text of a highlighted caption."""
    return Page(f'<article><p class="caption">{html}</p></article>').captions[0]


def captions() -> Iterator[str]:
    with (EXAMPLES / "captions.csv").open(encoding="utf-8", newline="") as file:
        yield from {row["caption"] for row in csv.DictReader(file)}


def test_explain_text_marks_the_mention_and_its_cue(reader: Reader) -> None:
    text = "Consolidation was not observed."
    headline, shown, marks, why = explain_text(text, reader).splitlines()[:4]
    assert headline.startswith("consolidation: negated")
    assert shown[3:] == text
    assert [found.span() for found in re.finditer("=+", marks[3:])] == [(0, len("Consolidation"))]
    cue = re.search(r"\^+", marks[3:])
    assert cue is not None
    assert text[slice(*cue.span())] in why.partition("cue ")[2]


def test_explain_text_marks_the_words_also_in_a_long_text(reader: Reader) -> None:
    text = "The heart is of normal size. " * 40 + "No consolidation is seen. " + "The bones are intact. " * 40
    _, shown, marks = explain_text(text, reader).splitlines()[:3]
    (start, end) = next(found.span() for found in re.finditer("=+", marks))
    assert shown[start:end] == "consolidation"
    assert len(shown) < 300


def test_explain_text_gives_each_state_with_its_cell(reader: Reader) -> None:
    text = "COVID-19. No consolidation. Ground-glass opacity in both lungs."
    states = explain_text(text, reader).partition("states\n")[2].splitlines()
    assert [line.strip() for line in states] == [
        "ground_glass_opacity: present (1)",
        "consolidation: negated (0)",
        "covid19: confirmed (1)",
    ]


def test_explain_text_shows_what_does_not_count_and_why(reader: Reader) -> None:
    text = "HISTORY: Crazy paving on an outside CT.\nFINDINGS: No consolidation."
    shown = explain_text(text, reader)
    assert "not counted: crazy_paving" in shown
    assert "section_not_reported" in shown
    assert "crazy_paving: present (1)" not in shown


def test_explain_text_of_nothing_says_so(reader: Reader) -> None:
    assert explain_text("The heart is enlarged.", reader).startswith("no finding is mentioned")
    assert "covid19: unstated (blank)" in explain_text("", reader)


def test_explain_text_uses_colour_only_when_asked(reader: Reader) -> None:
    text = "No consolidation. Possible crazy paving. \x1b[2JGround-glass opacity.\r\x07"
    assert "\x1b" not in explain_text(text, reader)
    coloured = explain_text(text, reader, colour=True)
    assert "\x1b[9;1;38;2;140;90;43mconsolidation\x1b[0m: negated" in coloured
    assert "\x1b[4;1;38;2;122;63;196mcrazy_paving\x1b[0m: uncertain" in coloured
    assert "\x1b[2J" not in coloured, "a text must not steer the terminal"
    assert not {"\r", "\x07"} & set(coloured)


def test_highlighted_keeps_the_text_of_every_example(reader: Reader) -> None:
    for caption in captions():
        assert plain(highlighted(caption, reader.read_text(caption).mentions, reader.lexicon)) == caption


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["No ", "GGO", " consolidation", " & ", "<b>", '"', "'", ", ", ". ", "é", "\n"]))
)
def test_highlighted_keeps_any_text(pieces: list[str]) -> None:
    shared = _shared_reader()
    text = "".join(pieces)
    assert plain(highlighted(text, shared.read_text(text).mentions, shared.lexicon)) == text


def test_highlighted_names_every_mention_by_its_code(reader: Reader) -> None:
    text = "Possible ground-glass opacity; no consolidation; crazy paving has disappeared."
    html = highlighted(text, reader.read_text(text).mentions, reader.lexicon)
    assert re.findall(r"<sup>(\w+)</sup>", html) == ["GGO", "Csld", "CrPa"]
    assert re.findall(r'<span class="(\w+)"><?', html.replace('<span class="cue">', "")) == [
        "uncertain",
        "negated",
        "resolved",
    ]


def test_write_html_shows_script_as_text(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_html(path, [(ATTACK, ATTACK, reader.read_text(ATTACK))], reader.lexicon)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.captions == [ATTACK]
    assert "".join(page.headings) == ATTACK
    assert set(page.tags) <= ALLOWED_TAGS
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]


def test_write_html_needs_no_network(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_html(path, [("a.png", "GGO", reader.read_text("GGO"))], reader.lexicon)
    html = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert not re.search(r"https?:|url\(|@import|<script|<link", html)


def test_write_html_shows_the_record_of_its_panel(reader: Reader, tmp_path: Path) -> None:
    text = "(A) Ground-glass opacity in the left lung. (B) Consolidation in the right lung."
    reading = reader.read_text(text)
    path = tmp_path / "page.html"
    write_html(path, [("b.png", text, of_panel(reading, "B"))], reader.lexicon)
    body = path.read_text(encoding="utf-8").partition("<main>")[2]
    assert "Csld</span> present" in body
    assert "GGO" not in body


def test_write_html_takes_captions_one_at_a_time(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("the old page")

    def failing() -> Iterator[tuple[str, str, object]]:
        for number in range(50):
            yield f"{number}.png", "GGO", reader.read_text("GGO")
        raise RuntimeError("the input broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        write_html(path, failing(), reader.lexicon)  # type: ignore[arg-type]
    assert path.read_text() == "the old page"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@given(st.integers(0, 0xFFFFFF), st.sampled_from([PAPER, NIGHT]))
def test_readable_makes_any_colour_legible(number: int, background: str) -> None:
    colour = readable(f"#{number:06x}", background)
    assert contrast(colour, tinted(colour, background)) >= LEAST_CONTRAST


def test_page_text_is_legible_in_both_themes(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_html(path, [], reader.lexicon)
    html = path.read_text(encoding="utf-8")
    themes = re.findall(r"--paper: (#\w{6}); --ink: (#\w{6}); --soft: (#\w{6})", html)
    assert len(themes) == 2
    for paper, ink, soft in themes:
        assert min(contrast(ink, paper), contrast(soft, paper)) >= LEAST_CONTRAST
    assert all(f".f-{key} {{" in html for key in (*reader.lexicon.finding_keys, "covid19"))


_READERS: list[Reader] = []


def _shared_reader() -> Reader:
    """One reader for all examples of a property: hypothesis takes no module fixtures."""
    if not _READERS:
        _READERS.append(Reader(load_lexicon()))
    return _READERS[0]
