"""The spaCy components, in our pipeline and in anyone's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from nlp.batch import Reader
from nlp.entries import Lexicon
from nlp.pipeline import MENTION_ATTRIBUTES, build_pipeline, displacy_options
from nlp.schema import COVID

TEXT = (
    "Chest CT of a man with COVID-19. (A) Ground-glass opacities in the left lower lobe. "
    "(B) No consolidaton; crazy paving has completely resolved."
)


@pytest.fixture(scope="module")
def pipeline() -> Language:
    return build_pipeline()


@pytest.fixture(scope="module")
def doc(pipeline: Language) -> Doc:
    return pipeline(TEXT)


@pytest.fixture
def own_lexicon(grow_lexicon: Callable[..., Path]) -> Path:
    """Our lexicon with one finding more."""
    finding = "pneumatocele,Pneumatocele,Pnc,#00aa00,A thin-walled space filled with gas,,,"
    return grow_lexicon(
        {"findings.csv": [finding], "terms.csv": ["pneumatocele,pneumatocele,report,yes,,yes,"]}
    )


def labels(pipeline: Language, text: str) -> list[str]:
    doc = pipeline(text)
    return [span.label_ for span in doc.spans["findings"]]


def found(doc: Doc, key: str = "findings") -> list[tuple[str, str, str, str]]:
    return [(span.text, span.label_, span._.assertion, span._.cue) for span in doc.spans[key]]


EXPECTED = [
    ("COVID-19", COVID, "present", ""),
    ("Ground-glass opacities", "ground_glass_opacity", "present", ""),
    ("consolidaton", "consolidation", "negated", "No"),
    ("crazy paving", "crazy_paving", "resolved", "has completely resolved"),
]


def test_pipeline_spans_carry_label_assertion_and_cue(doc: Doc) -> None:
    assert found(doc) == EXPECTED


def test_pipeline_spans_carry_everything_a_mention_says(doc: Doc, shared_reader: Reader) -> None:
    mentions = shared_reader.read_text(TEXT).mentions
    for span, mention in zip(doc.spans["findings"], mentions, strict=True):
        assert {name: span._.get(name) for name in MENTION_ATTRIBUTES} == {
            name: getattr(mention, name) for name in MENTION_ATTRIBUTES
        }
        assert span._.mention == mention
        assert (span.start_char, span.end_char) == (mention.start, mention.end)
    assert [span._.panel for span in doc.spans["findings"]] == ["", "A", "B", "B"]
    assert [span._.match for span in doc.spans["findings"]] == ["exact", "exact", "fuzzy", "exact"]


def test_pipeline_the_doc_carries_the_states(doc: Doc) -> None:
    assert doc._.covid19 == "confirmed"
    assert doc._.finding_states == {
        "ground_glass_opacity": "present",
        "consolidation": "negated",
        "crazy_paving": "resolved",
        "air_bronchogram": "not_mentioned",
        "septal_thickening": "not_mentioned",
    }


def test_pipeline_segments_are_spans(pipeline: Language, doc: Doc) -> None:
    assert [span.text for span in doc.spans["sentences"]] == TEXT.replace(". ", ".|").split("|")
    assert [span.label_ for span in doc.spans["panels"]] == ["A", "B"]
    report = pipeline("INDICATION: GGO?\nFINDINGS: Crazy paving.")
    assert [(span.label_, span.text.strip()) for span in report.spans["sections"]] == [
        ("indication", "INDICATION: GGO?"),
        ("findings", "FINDINGS: Crazy paving."),
    ]


@pytest.mark.parametrize("language", ["en", "de"])
def test_pipeline_components_work_in_a_foreign_pipeline(language: str) -> None:
    own = spacy.blank(language)
    own.add_pipe("sentencizer")
    own.add_pipe("chest_findings", last=True)
    doc = own(TEXT)
    assert [span._.mention.text for span in doc.spans["findings"]] == [span[0] for span in EXPECTED]
    assert [span._.assertion for span in doc.spans["findings"]] == [span[2] for span in EXPECTED]
    assert len(list(doc.sents)) > 1


def test_pipeline_a_mention_inside_a_longer_token_keeps_its_exact_place(pipeline: Language) -> None:
    doc = pipeline("bilateralGGOs here")
    (span,) = doc.spans["findings"]
    assert (span.text, span._.mention.text) == ("bilateralGGOs", "GGOs")


def test_pipeline_another_key_and_other_components_spans_are_kept() -> None:
    own = spacy.blank("en")
    own.add_pipe("chest_findings", config={"spans_key": "lesions"})
    doc = own.make_doc(TEXT)
    doc.spans["findings"] = [doc[0:2]]
    assert found(own(doc), "lesions") != [] and len(doc.spans["findings"]) == 1


@pytest.mark.parametrize("text", ["", " ", "The heart is of normal size.", "\n\n", "🫁 e\u0301"])
def test_pipeline_a_text_without_findings_has_no_spans(pipeline: Language, text: str) -> None:
    doc = pipeline(text)
    assert found(doc) == []
    assert {*doc._.finding_states.values(), doc._.covid19} == {"not_mentioned", "unstated"}


def test_pipeline_many_texts_may_be_piped(pipeline: Language) -> None:
    texts = ["GGO.", "", "No GGO.", TEXT] * 5
    assert [found(doc) for doc in pipeline.pipe(texts, batch_size=3)] == [
        found(pipeline(text)) for text in texts
    ]


def test_pipeline_displacy_draws_each_finding_in_its_colour(doc: Doc, lexicon: Lexicon) -> None:
    page = displacy.render(doc, style="span", options=displacy_options(lexicon), jupyter=False)
    for finding in lexicon.findings:
        named = any(span.label_ == finding.key for span in doc.spans["findings"])
        assert (finding.key in page) is named
        assert (finding.colour in page) is named


def test_pipeline_displacy_escapes_a_hostile_text(pipeline: Language, lexicon: Lexicon) -> None:
    doc = pipeline("<script>alert(1)</script> consolidation")
    assert "<script>" not in displacy.render(
        doc, style="span", options=displacy_options(lexicon), jupyter=False
    )


# ---- saved and loaded


def test_pipeline_saved_and_loaded_reads_the_same(pipeline: Language, doc: Doc, tmp_path: Path) -> None:
    pipeline.to_disk(tmp_path / "saved")
    from_disk = spacy.load(tmp_path / "saved")
    from_bytes = spacy.util.load_model_from_config(pipeline.config).from_bytes(pipeline.to_bytes())
    for reloaded in (from_disk, from_bytes):
        again = reloaded(TEXT)
        assert reloaded.pipe_names == ["chest_segments", "chest_findings"]
        assert found(again) == found(doc)
        assert again._.finding_states == doc._.finding_states


def test_pipeline_a_stored_doc_keeps_what_was_found(pipeline: Language, doc: Doc) -> None:
    stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    (again,) = DocBin().from_bytes(stored).get_docs(pipeline.vocab)
    assert found(again) == found(doc)
    assert again._.covid19 == doc._.covid19
    assert [tuple(span._.mention) for span in again.spans["findings"]] == [
        tuple(span._.mention) for span in doc.spans["findings"]
    ]


# ---- another lexicon


def test_pipeline_a_lexicon_of_ones_own_stands_in_the_config(own_lexicon: Path, pipeline: Language) -> None:
    own = build_pipeline(own_lexicon)
    text = "A pneumatocele and consolidation."
    assert labels(own, text) == ["pneumatocele", "consolidation"]
    assert labels(pipeline, text) == ["consolidation"]
    assert own(text)._.finding_states["pneumatocele"] == "present"
    assert own.config["components"]["chest_findings"]["lexicon"] == str(own_lexicon)


def test_pipeline_an_edited_lexicon_is_read_anew(own_lexicon: Path) -> None:
    assert labels(build_pipeline(own_lexicon), "A gas blister.") == []
    with (own_lexicon / "terms.csv").open("a", encoding="utf-8") as file:
        file.write("pneumatocele,gas blister,report,no,,yes,\n")
    assert labels(build_pipeline(own_lexicon), "A gas blister.") == ["pneumatocele"]


def test_pipeline_a_saved_pipeline_finds_its_own_lexicon_again(own_lexicon: Path, tmp_path: Path) -> None:
    own = spacy.blank("en")
    own.add_pipe("chest_findings", config={"lexicon": str(own_lexicon)})
    own.to_disk(tmp_path / "saved")
    assert labels(spacy.load(tmp_path / "saved"), "A pneumatocele.") == ["pneumatocele"]
