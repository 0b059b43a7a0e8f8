"""Suspects: records whose labels may be wrong, ranked, each with its reasons in words.

A record's score is 1 − Π(1 − score of each signal): one strong reason or several weak ones bring it up, and it
stays between 0 and 1 (``annotate.suspect_signals`` lists the signals). Without predictions of an image model, text
and people are compared alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from annotate.columns import Places, columns, starts_of
from annotate.events import log
from annotate.people import require_role
from annotate.reread import portions
from annotate.store_tables import MENTION
from annotate.suspect_facts import Floats, Ids, Mask, Texts, read_facts
from annotate.suspect_pairs import near_identical, same_caption
from annotate.suspect_signals import KINDS, Signal, Signals, joined, signals, text_words
from annotate.worklist import rank_suspects_first
from nlp.lexicon import load_lexicon
from nlp.schema import COVID

_LEAST = 0.2
"""Below, a record is no suspect."""


@dataclass(frozen=True)
class Suspect:
    """A record whose labels may be wrong.

    Attributes:
        score: 0 to 1, the higher the more suspect.
        signals: the reasons, strongest first; their words are complete sentences' parts.
        judged: a person has decided the record.
    """

    record_id: int
    image: str
    score: float
    signals: tuple[Signal, ...]
    judged: bool

    @property
    def reason(self) -> str:
        """All reasons in words."""
        return "; ".join(signal.words for signal in self.signals)


@dataclass(frozen=True, eq=False)
class Ranking:
    """All suspects as columns, the worst first; ``told`` makes objects of those that are shown.

    Attributes:
        record_ids, images, scores, judged: (n,), as in ``Suspect``.
        signals: of all of them; ``place`` is a place in the ranking. The strongest of each comes first.
        names: keys of labels with their names in running text.
    """

    record_ids: Ids
    images: Texts
    scores: Floats
    judged: Mask
    signals: Signals
    names: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.record_ids)

    def by_record(self) -> dict[int, float]:
        """The score of each suspect, the worst first."""
        return dict(zip(self.record_ids.tolist(), self.scores.tolist(), strict=True))

    def places(self, *, kind: str | None = None, key: str | None = None, undecided: bool = False) -> Places:
        """Suspects with one reason that is of a kind and about a finding; None: any."""
        fits = np.ones(len(self.signals), bool)
        for column, wanted in ((self.signals.kind, kind), (self.signals.key, key)):
            if wanted is not None:
                fits &= column == wanted
        here = np.zeros(len(self), bool)
        here[self.signals.place[fits]] = True
        return np.flatnonzero(here & ~self.judged if undecided else here)

    def told(self, connection: sa.Connection, places: Places | None = None) -> list[Suspect]:
        """Suspects with their reasons in words, and with the words of the text that decided it."""
        chosen = np.arange(len(self)) if places is None else places
        starts = np.searchsorted(self.signals.place, [chosen, chosen + 1]).T.tolist()
        suspects = [
            Suspect(number, image, score, tuple(map(self.signals.at, range(*ends))), judged)
            for number, image, score, judged, ends in zip(
                self.record_ids[chosen].tolist(),
                self.images[chosen],
                self.scores[chosen].tolist(),
                self.judged[chosen].tolist(),
                starts,
                strict=True,
            )
        ]
        return _in_words(connection, suspects, self.names)


def rank_suspects(
    connection: sa.Connection,
    findings: Sequence[str],
    *,
    pairs: Iterable[tuple[str, str]] = (),
    annotator: str | None = None,
) -> Ranking:
    """The suspects, the worst first. Nothing is written.

    Args:
        pairs: images that are nearly identical, by name.
        annotator: only what she may know, so that readings stay independent: of people, her own; None: all.
    """
    names = finding_names(findings)
    facts = read_facts(connection, list(names), annotator)
    tied = same_caption(connection, facts, names), near_identical(facts, names, pairs)
    found = joined([*signals(facts), *tied])
    starts = starts_of(found.place)
    scores = 1 - np.multiply.reduceat(1 - found.score, starts) if len(starts) else np.empty(0)
    here = found.place[starts]
    order = np.lexsort((here, -scores))
    order = order[scores[order] >= _LEAST]
    rank = np.full(len(facts.ids), -1)
    rank[here[order]] = np.arange(len(order))
    kept = found.take(rank[found.place] >= 0)
    kept = replace(kept, place=rank[kept.place])
    kept = kept.take(np.lexsort((-kept.score, kept.place)))
    chosen = here[order]
    return Ranking(facts.ids[chosen], facts.images[chosen], scores[order], facts.judged[chosen], kept, names)


def apply_suspect_order(connection: sa.Connection, findings: Sequence[str], *, actor: str, now: float) -> int:
    """Let ``order="suspects"`` of the worklist follow the ranking as it is now; how many suspects there are.

    Args:
        connection: in a write transaction.
        now: Unix time in seconds.

    Raises:
        StoreError: the actor is no adjudicator; the ranking tells of everybody's readings.
    """
    require_role(connection, actor, "adjudicator")
    ranked = rank_suspects(connection, findings)
    rank_suspects_first(connection, ranked.by_record())
    log(connection, actor, "worklist.suspects", now=now, new={"records": len(ranked)})
    return len(ranked)


def finding_names(findings: Sequence[str]) -> dict[str, str]:
    """The keys of labels with their names in running text."""
    known = {finding.key: finding.name.lower() for finding in load_lexicon().findings}
    return {COVID: "COVID-19", **{key: known.get(key, key.replace("_", " ")) for key in findings}}


def _in_words(
    connection: sa.Connection, ranked: Sequence[Suspect], names: Mapping[str, str]
) -> list[Suspect]:
    told = [each.record_id for each in ranked if any(signal.text for signal in each.signals)]
    mentions: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for some in portions(told):
        query = sa.select(
            *MENTION.c["record_id", "finding", "assertion"], MENTION.c.details["cue"].as_string()
        )
        query = query.where(MENTION.c.record_id.in_(some)).order_by(MENTION.c.start, MENTION.c.id)
        for record, finding, assertion, cue in zip(*columns(connection, query), strict=True):
            mentions[record, finding].append({"assertion": assertion, "cue": cue})

    def complete(suspect: Suspect, signal: Signal) -> Signal:
        name = names.get(signal.key, "")
        if signal.text:
            said = text_words(name, signal.text, mentions[suspect.record_id, signal.key])
            return replace(signal, words=f"{said}, {signal.words}")
        needs_name = name and name not in signal.words
        return replace(signal, words=f"{name}: {signal.words}") if needs_name else signal

    return [
        replace(each, signals=tuple(complete(each, signal) for signal in each.signals)) for each in ranked
    ]


__all__ = ["KINDS", "Ranking", "Suspect", "apply_suspect_order", "finding_names", "rank_suspects"]
