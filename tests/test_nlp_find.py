"""Find: words folded, mended and kept apart, and every phrase of the lexicon found."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.batch import Reader
from nlp.entries import Lexicon
from nlp.find import Finder, Found, longest
from nlp.mend import UNKNOWN
from nlp.normalise import view
from nlp.phrases import anchors, is_gap

States = Callable[..., dict[str, str]]


@pytest.fixture(scope="session")
def finder(shared_reader: Reader) -> Finder:
    return shared_reader.finder


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Ground-Glass", ["ground", "glass"]),
        ("groundglass", ["ground", "glass"]),
        ("GroundGlassOpacity", ["ground", "glass", "opacity"]),
        ("bilateralGGOs", ["bilateral", "ggo"]),
        ("consoli\u00addations", ["consolidation"]),
        ("interlobular septa", ["inter", "lobular", "septum"]),
        ("airbronchogram", ["air", "bronchogram"]),
        ("wasn't seen", ["be", "not", "seen"]),
        ("patient's lung", ["patient", "lung"]),
        ("opacity - consolidation", ["opacity", "-", "consolidation"]),
        ("zebra 17.5 cm?", [UNKNOWN, "#", UNKNOWN, "questionmark"]),
        ('"crazy" [paving]', ["crazy", "paving"]),
        ("", []),
    ],
)
def test_find_words_are_folded(finder: Finder, written: str, words: list[str]) -> None:
    assert finder.folder.tokens(view(written)).words == words


@pytest.mark.parametrize(
    ("text", "core", "finding"),
    [
        ("bilateralgroundglassopacities", "groundglass", "ground_glass_opacity"),
        ("GroundGlassOpacity of the lung", "GroundGlassOpacity", "ground_glass_opacity"),
        ("lungconsolidations here", "consolidation", "consolidation"),
        ("interlobularseptalthickening", "interlobularseptalthickening", "septal_thickening"),
    ],
)
def test_find_glued_words_are_parted(shared_reader: Reader, text: str, core: str, finding: str) -> None:
    (mention,) = shared_reader.read_text(text).mentions
    assert mention.finding == finding
    assert core in mention.text and mention.text in text


@pytest.mark.parametrize(
    ("text", "mention", "finding"),
    [
        ("consolidaton", "consolidaton", "consolidation"),
        ("ground glass opactiy", "ground glass opactiy", "ground_glass_opacity"),
        ("gruond-glass opacity", "gruond-glass opacity", "ground_glass_opacity"),
        ("air brochogram", "air brochogram", "air_bronchogram"),
        ("interlobualr septal thickening", "interlobualr septal thickening", "septal_thickening"),
        ("interlobular septal thickenning", "interlobular septal thickenning", "septal_thickening"),
    ],
)
def test_find_a_misspelling_is_mended_and_says_so(
    shared_reader: Reader, text: str, mention: str, finding: str
) -> None:
    (found,) = shared_reader.read_text(f"There is {text} in the lung.").mentions
    assert (found.finding, found.text, found.match) == (finding, mention, "fuzzy")
    assert 75 <= found.score < 100


@pytest.mark.parametrize(
    "text",
    [
        "Intralobular thickening.",
        "Intralobular septal thickening.",
        "Intralobualr septal thickening.",
        "Thickening of the intralobular septa.",
        "Interlobar septum thickening.",
        "The interlobar fissure is thickened.",
        "The right interlobar artery is thickened.",
        "Paraseptal emphysema with wall thickening.",
        "Thickening of the nasal septum.",
        "Patchy shadow, fuzzy shadow and high-density shadow.",
        "Words of consolation, classification and pacification.",
        "A lazy paving company.",
        "Bronchogenic carcinoma; bronchography of the airway.",
        "Consolidation of the fracture; bony consolidation.",
        "The ovarian cyst has ground-glass echogenicity.",
    ],
)
def test_find_words_that_only_look_alike_name_no_finding(states_of: States, text: str) -> None:
    assert states_of(text) == {}


def test_find_no_word_of_the_block_list_is_mended(finder: Finder, lexicon: Lexicon) -> None:
    mended = [word for word in lexicon.never_fuzzy if finder.folder.tokens(word).scores]
    assert mended == []


def test_find_every_phrase_of_the_lexicon_is_found_where_it_is_written(
    finder: Finder, lexicon: Lexicon
) -> None:
    dead = []
    for entry in (*lexicon.terms, *lexicon.cues, *lexicon.contexts, *lexicon.covid):
        for phrase in entry.phrases:
            words = [slot.split("|")[0] for slot in phrase if not is_gap(slot)]
            tokens = finder.folder.tokens(" ".join(words).replace("questionmark", "?"))
            matches = itertools.chain.from_iterable(finder.find(tokens, covid=True))
            if (entry, 0, len(tokens.words)) not in {(f.entry, f.start, f.end) for f in matches}:
                dead.append(" ".join(words))
    assert dead == []


def test_find_a_gap_takes_its_words_and_no_more(states_of: States) -> None:
    assert states_of("Interlobular one two three thickening") == {}
    assert states_of("Interlobular, septal thickening") == {"septal_thickening": "present"}
    assert states_of("thickened and distorted interlobular septa") == {"septal_thickening": "present"}
    assert states_of("Thickened fissure. Normal septa.") == {}


# ---- what makes the fast path exact

PHRASES = st.lists(
    st.lists(
        st.lists(st.sampled_from("abcde"), min_size=1, max_size=3, unique=True).map("|".join)
        | st.just("<2>"),
        min_size=1,
        max_size=5,
    )
    .filter(lambda phrase: not is_gap(phrase[0]) and not is_gap(phrase[-1]))
    .map(tuple),
    max_size=12,
)


@given(PHRASES)
def test_find_every_phrase_holds_an_anchor_whichever_words_it_takes(phrases: list[tuple[str, ...]]) -> None:
    chosen = anchors(phrases)
    for phrase in phrases:
        for words in itertools.product(*(slot.split("|") for slot in phrase if not is_gap(slot))):
            assert chosen & set(words), (phrase, words, chosen)


def test_find_every_way_to_write_a_finding_wakes_the_reader(finder: Finder, lexicon: Lexicon) -> None:
    asleep = [
        phrase
        for term in lexicon.terms
        if term.kind == "report"
        for phrase in term.phrases
        for words in itertools.product(*(slot.split("|")[:2] for slot in phrase if not is_gap(slot)))
        if finder.folder.finding_anchors.isdisjoint(finder.folder.tokens(" ".join(words)).words)
    ]
    assert asleep == []


# ---- properties of tokens and matches


@given(text=st.text(max_size=60))
def test_find_tokens_lie_in_order_inside_the_text(finder: Finder, text: str) -> None:
    tokens = finder.folder.tokens(view(text))
    assert len(tokens.words) == len(tokens.starts) == len(tokens.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(tokens.starts, tokens.ends, strict=True))
    assert list(tokens.starts) == sorted(tokens.starts)


def test_find_words_it_does_not_know_leave_no_trace_in_the_vocabulary(
    finder: Finder, lexicon: Lexicon
) -> None:
    before = set(finder.vocab.strings)
    finder.find(finder.folder.tokens("Quokkas jumped over 47 wombats on 3.14.15 äöü"), covid=True)
    assert set(finder.vocab.strings) - before <= {*lexicon.words, UNKNOWN, "#"}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=8))
def test_find_of_overlapping_matches_the_longest_stay(places: list[tuple[int, int]]) -> None:
    found = [Found(None, start, start + length) for start, length in places]  # type: ignore[type-var]
    kept = longest(found)
    assert kept == sorted(kept, key=lambda f: f.start)
    for one, other in itertools.combinations(kept, 2):
        assert one[1:] == other[1:] or one.end <= other.start
    for item in found:
        assert any(
            k.end - k.start >= item.end - item.start
            for k in kept
            if k.start < item.end and item.start < k.end
        )
