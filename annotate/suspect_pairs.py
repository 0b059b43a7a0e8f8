"""Signals of records that should be alike: one caption and panel, or nearly identical images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress

import numpy as np
import pandas as pd
import sqlalchemy as sa

from annotate.columns import ABSENT, PRESENT, columns
from annotate.store_tables import ADJUDICATION, ANNOTATION_CURRENT, RECORD
from annotate.suspect_facts import Facts, Mask
from annotate.suspect_signals import Signals, joined, same_signals

_SAME_CAPTION, _NEAR_IDENTICAL = 0.7, 0.9


def same_caption(connection: sa.Connection, facts: Facts, names: Mapping[str, str]) -> Signals:
    """Records of one caption and panel that people decided differently."""
    confirmed = sa.select(ANNOTATION_CURRENT.c.record_id).where(ANNOTATION_CURRENT.c.action == "confirm")
    anybody = confirmed.union(sa.select(ADJUDICATION.c.record_id))
    query = sa.select(*RECORD.c["id", "caption", "panel"])
    ids, *texts = columns(connection, query.where(RECORD.c.id.in_(anybody), RECORD.c.caption != ""))
    places = pd.Index(facts.ids).get_indexer(pd.Index(ids, dtype=np.int64))
    known = _comparable(facts)[places]
    places = places[known]
    numbers: dict[tuple[str, str], int] = {}
    group = np.array(
        [numbers.setdefault(pair, len(numbers)) for pair in compress(zip(*texts, strict=True), known)],
        np.intp,
    )
    labels = facts.labels[places]
    found = [same_signals(places[:0], "same_caption", "", 0.0, "")]
    for column, key in enumerate(facts.keys):
        said = labels[:, column]
        present, absent = (
            np.bincount(group, said == code, minlength=len(numbers)) > 0 for code in (PRESENT, ABSENT)
        )
        told = (present & absent)[group] & ((said == PRESENT) | (said == ABSENT))
        words = f"another image of the same caption was decided otherwise for {names[key]}"
        found.append(same_signals(places[told], "same_caption", key, _SAME_CAPTION, words))
    return joined(found)


def near_identical(facts: Facts, names: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> Signals:
    """Nearly identical images with opposite labels."""
    place_of, labels = pd.Index(facts.images), facts.labels
    images = np.array([*pairs], dtype=object).reshape(-1, 2)
    both = np.column_stack([place_of.get_indexer(pd.Index(images[:, side])) for side in (0, 1)])
    both = both[(both >= 0).all(axis=1)]
    one, other = labels[both[:, 0]], labels[both[:, 1]]
    opposite = (one == PRESENT) & (other == ABSENT) | (one == ABSENT) & (other == PRESENT)
    rows, keys = np.nonzero(opposite)
    here, there = both[rows].reshape(-1), both[rows][:, ::-1].reshape(-1)
    key = np.repeat(np.array(facts.keys, object)[keys], 2)
    words = [
        f"nearly identical to {image}, which has the opposite label for {names[name]}"
        for image, name in zip(facts.images[there], key, strict=True)
    ]
    return same_signals(here, "near_identical", key, _NEAR_IDENTICAL, words)


def _comparable(facts: Facts) -> Mask:
    """Judged records, but without a letter images of one caption may well differ."""
    which, patterns = pd.factorize(facts.flags)
    unclear = np.array(["ambiguous_panel" in pattern.split(";") for pattern in patterns], bool)
    comparable: Mask = facts.judged & ~unclear[which] if len(which) else facts.judged
    return comparable
