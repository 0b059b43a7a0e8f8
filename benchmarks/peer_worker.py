"""Runs one peer over texts, inside that peer's own environment; ``benchmarks.peers`` starts it.

It imports nothing of this project. All peers get the same spans from the same terms, through spaCy's own
matchers, and differ only in what they make of the words around them.

    python peer_worker.py negspacy|medspacy|medspacy-sentencizer task.json result.json
"""

import itertools
import json
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import spacy
from spacy.attrs import NORM
from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc, Span

SPANS = "findings"
ORDER = ("present", "uncertain", "resolved", "negated")


class TermMatcher:
    """Spans of the terms: longest first per finding; those of excluded words hide what lies in them."""

    def __init__(self, pipeline: Language, terms: list[dict[str, Any]]) -> None:
        self.phrases = PhraseMatcher(pipeline.vocab, attr="NORM")
        self.patterns = Matcher(pipeline.vocab)
        self.terms: dict[str, tuple[str, str, str]] = {}
        for number, term in enumerate(terms):
            name = f"t{number}"
            self.terms[name] = (term["finding"], term["kind"], term["assertion"])
            if term["phrases"]:
                self.phrases.add(name, list(pipeline.tokenizer.pipe(term["phrases"])))
            if term["patterns"]:
                self.patterns.add(name, term["patterns"])

    def __call__(self, doc: Doc) -> Doc:
        found = [(*self.terms[doc.vocab.strings[key]], start, end) for key, start, end in self.matches(doc)]
        found.sort(key=lambda match: (match[3] - match[4], match[3]))
        taken: dict[str, set[int]] = {}
        spans = []
        for finding, kind, assertion, start, end in found:
            used = taken.setdefault(finding, set())
            if used.isdisjoint(range(start, end)):
                used.update(range(start, end))
                if kind == "report":
                    spans.append(Span(doc, start, end, label=finding, kb_id=assertion))
        doc.spans[SPANS] = spans
        return doc

    def matches(self, doc: Doc) -> itertools.chain[tuple[int, int, int]]:
        return itertools.chain(self.phrases(doc), self.patterns(doc))


@Language.factory("terms", default_config={"terms": []})
def make_matcher(nlp: Language, name: str, terms: list[dict[str, Any]]) -> TermMatcher:
    return TermMatcher(nlp, terms)


class Norms:
    """Norms by the lexicon's spellings and plurals; spaCy asks once per distinct word."""

    def __init__(self, lexicon: dict[str, Any]) -> None:
        self.norms = lexicon["norms"]
        self.plurals = lexicon["plurals"]

    def __call__(self, word: str) -> str:
        word = word.lower()
        if word in self.norms or len(word) < 4:
            return str(self.norms.get(word, word))
        ending, kept = next((pair for pair in self.plurals if word.endswith(pair[0])), ("", ""))
        return word.removesuffix(ending) + kept


def blank(lexicon: dict[str, Any]) -> Language:
    """An empty English pipeline that folds words as the lexicon does."""
    pipeline = spacy.blank("en")
    pipeline.vocab.lex_attr_getters[NORM] = Norms(lexicon)
    return pipeline


def negspacy(lexicon: dict[str, Any]) -> Language:
    """The documented pipeline: sentencizer, entities, negex with its clinical English term set."""
    import negspacy.negation  # noqa: F401

    pipeline = blank(lexicon)
    pipeline.add_pipe("sentencizer")
    pipeline.add_pipe("terms", config={"terms": lexicon["terms"]})
    pipeline.add_pipe("negex", config={"span_keys": [SPANS]})
    return pipeline


def medspacy(lexicon: dict[str, Any], splitter: str = "medspacy_pyrush") -> Language:
    """The documented pipeline: PyRuSH sentences, targets, ConText with its default rules; logging is off."""
    import medspacy.context
    import medspacy.sentence_splitting  # noqa: F401
    from loguru import logger

    logger.remove()
    logger.disable("PyRuSH")
    pipeline = blank(lexicon)
    pipeline.add_pipe(splitter)
    pipeline.add_pipe("terms", config={"terms": lexicon["terms"]})
    pipeline.add_pipe("medspacy_context", config={"input_span_type": "group", "span_group_name": SPANS})
    return pipeline


SYSTEMS = {
    "negspacy": (negspacy, "negspacy"),
    "medspacy": (medspacy, "medspacy"),
    "medspacy-sentencizer": (lambda lexicon: medspacy(lexicon, "sentencizer"), "medspacy"),
}


def assertion(span: Span) -> str:
    """The peer's attributes as one of our assertions; a term that is uncertain by itself stays so."""
    if Span.has_extension("negex"):
        if span._.negex:
            return "negated"
    elif span._.is_negated:
        return "negated"
    elif span._.is_uncertain or span._.is_hypothetical:
        return "uncertain"
    elif span._.is_historical:
        return "resolved"
    return span.kb_id_ or "present"


def states(doc: Doc) -> dict[str, str]:
    """The state of every finding that the text mentions: the strongest of its mentions."""
    said: dict[str, set[str]] = {}
    for span in doc.spans[SPANS]:
        said.setdefault(span.label_, set()).add(assertion(span))
    return {finding: next(name for name in ORDER if name in names) for finding, names in said.items()}


def rate(pipeline: Language, texts: list[str], budget: float) -> float:
    """Texts per CPU-second, stopping when the budget of CPU-seconds is spent."""
    before = time.process_time()
    count = 0
    for doc in pipeline.pipe(texts):
        states(doc)
        count += 1
        if time.process_time() - before > budget:
            break
    return count / (time.process_time() - before)


def peak_megabytes() -> float:
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        return float("nan")
    return int(found.group(1)) / 1024 if found else float("nan")


def main() -> None:
    system, task_path, result_path = sys.argv[1:]
    task = json.loads(Path(task_path).read_text())
    make, package = SYSTEMS[system]
    rates = {
        name: rate(make(task["lexicon"]), texts, task["budget"]) for name, texts in task["rates"].items()
    }
    pipeline = make(task["lexicon"])
    read = {name: [states(doc) for doc in pipeline.pipe(texts)] for name, texts in task["quality"].items()}
    versions = {name: version(name) for name in (package, "spacy")}
    result = {"states": read, "rates": rates, "versions": versions, "peak_megabytes": peak_megabytes()}
    Path(result_path).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
