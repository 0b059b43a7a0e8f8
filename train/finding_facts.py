"""What the lexicon says of each finding, read once: name, abbreviation, colour, what it entails."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from nlp.entries import Finding
from nlp.lexicon import load_lexicon


@cache
def known_findings() -> dict[str, Finding]:
    """Key → finding of the toolkit's own lexicon."""
    return {finding.key: finding for finding in load_lexicon().findings}


def finding_colour(key: str, unknown: str) -> str:
    """The finding's colour, or ``unknown`` for a finding of another lexicon."""
    return known_findings()[key].colour if key in known_findings() else unknown


def finding_codes(keys: Sequence[str]) -> list[str]:
    """The abbreviation of each finding, or its key where the lexicon has none."""
    return [known_findings()[key].abbreviation if key in known_findings() else key for key in keys]


def finding_names(keys: Sequence[str]) -> list[str]:
    """The display name of each finding, or its key where the lexicon has none."""
    return [known_findings()[key].name if key in known_findings() else key for key in keys]
