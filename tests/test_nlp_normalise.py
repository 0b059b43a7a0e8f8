"""The view: a cleaner copy of a text in which every character keeps its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.batch import Reader
from nlp.normalise import SOFT_HYPHEN, view

ODD = st.sampled_from(
    (
        "['", "']", '["', '"]', "', '", "\\n", "\\r", "-\n", "-\r\n  ", "â€“", "â€™", "â€", "â\x80\x93", "•", "\u2013", "\u00ad",
        "\u200b", "\ufeff", "\u3000", "ß", "İ", "ﬁ", "🫁", "e\u0301", "\x00", "\x85", "\u2028", "ground", " glass",
    )
)  # fmt: skip
TEXTS = st.lists(st.one_of(ODD, st.text(max_size=6)), max_size=20).map("".join)


@given(TEXTS)
def test_normalise_never_changes_the_length(text: str) -> None:
    assert len(view(text)) == len(text)


@given(st.text(alphabet=st.characters(categories=["L", "N"]), max_size=40))
def test_normalise_leaves_letters_and_numbers_alone(text: str) -> None:
    assert view(text) == text


def test_normalise_leaves_plain_text_alone() -> None:
    text = 'CT (axial) of a 54-year-old: "ground-glass", [1, 2], 3/4; no\nchange, isn\'t it?'
    assert view(text) == text


@pytest.mark.parametrize("dash", "\u2010\u2011\u2012\u2013\u2014\u2212\uff0d")
def test_normalise_every_dash_is_a_hyphen(dash: str) -> None:
    assert view(f"ground{dash}glass") == "ground-glass"


@pytest.mark.parametrize(
    ("typographic", "plain"), [("“GGO”", '"GGO"'), ("«GGO»", '"GGO"'), ("‘GGO’", "'GGO'")]
)
def test_normalise_typographic_quotes_are_plain(typographic: str, plain: str) -> None:
    assert view(typographic) == plain


@pytest.mark.parametrize("space", "\u00a0\u2009\u202f\u3000")
def test_normalise_every_blank_is_a_blank(space: str) -> None:
    assert view(f"ground{space}glass") == "ground glass"


@pytest.mark.parametrize("invisible", "\u200b\u200d\u2060\ufeff\u00ad")
def test_normalise_invisible_characters_do_not_part_a_word(invisible: str) -> None:
    assert view(f"ground{invisible}glass") == f"ground{SOFT_HYPHEN}glass"


def test_normalise_full_width_marks_are_plain() -> None:
    assert view("GGO，（A）：no。Is it？Yes、") == "GGO,(A):no.Is it?Yes,"


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("['GGO is seen.']", "GGO is seen."),
        ('["GGO isn\'t seen."]', "GGO isn't seen."),
        ("  [ 'GGO' ]\n", "GGO"),
    ],
)
def test_normalise_blanks_out_the_wrapper_of_a_list_literal(text: str, inner: str) -> None:
    assert view(text).strip() == inner
    assert view(text).index(inner) == text.index(inner)


def test_normalise_parts_of_a_list_literal_are_sentences_of_their_own() -> None:
    assert view("['No GGO', 'Consolidation']").split(".") == ["  No GGO", "   Consolidation  "]


@pytest.mark.parametrize("text", ["[1] GGO", "['GGO", "GGO']", "[GGO]", "a ['GGO'] b"])
def test_normalise_other_square_brackets_stay(text: str) -> None:
    assert view(text) == text


def test_normalise_written_escapes_are_line_ends() -> None:
    assert view("GGO.\\nNo change.") == "GGO. \nNo change."


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize(("mark", "plain"), [("–", "-"), ("—", "-"), ("’", "'"), ("“", "'")])
def test_normalise_mojibake_is_the_mark_it_stood_for(encoding: str, mark: str, plain: str) -> None:
    garbled = mark.encode().decode(encoding)
    assert view(f"x{garbled}y").replace(" ", "") == f"x{plain}y"


@pytest.mark.parametrize("end", ["-\n", "-\r\n", "- \n  ", "\u2010\n"])
def test_normalise_a_hyphen_at_a_lines_end_joins_the_word(end: str) -> None:
    assert view(f"consoli{end}dation").replace(SOFT_HYPHEN, "") == "consolidation"


@pytest.mark.parametrize("text", ["CT -\nGGO", "GGO -\nno", "COVID-\n19"])
def test_normalise_other_hyphens_at_a_lines_end_stay(text: str) -> None:
    assert view(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("['Ground‐glass opacities.']", "Ground‐glass opacities"),
        ("bilateral ground-\nglass opacity", "ground-\nglass opacity"),
        ("a groundâ€“glass opacity", "groundâ€“glass opacity"),
        ("a ground\u2011glass\u00a0opacity", "ground\u2011glass\u00a0opacity"),
        ("consoli\u00addation", "consoli\u00addation"),
        ("consoli-\ndation of the lung", "consoli-\ndation"),
        ("（consolidation）", "consolidation"),
    ],
)
def test_normalise_a_mention_is_cut_from_the_text_as_it_was(
    shared_reader: Reader, text: str, words: str
) -> None:
    (mention,) = shared_reader.read_text(text).mentions
    assert mention.text == text[mention.start : mention.end] == words


def test_normalise_parts_of_a_list_do_not_negate_each_other(
    states_of: Callable[..., dict[str, str]],
) -> None:
    assert states_of("['No consolidation', 'Ground-glass opacity in the left lung']") == {
        "consolidation": "negated",
        "ground_glass_opacity": "present",
    }
