"""Ids of images and patients: what stands in for a missing patient, and which images come twice."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Digests = npt.NDArray[np.uint64]

NEW, REPEATED, CHANGED = 0, 1, 2
"""An image that was not seen before; seen with the same content; seen with other content."""

_POWER = r"\d([.,]\d+)?e[+-]?\d+"
_DATE = r"\d{1,2}[-/](\d{1,2}|[a-z]{3})([-/]\d{2,4})?|\d{4}-\d\d-\d\d[ t:\d]*"
MANGLED = rf"(?i)^\s*({_POWER}|{_DATE})\s*$"
"""What a spreadsheet makes of an id such as 2E05 or 1-3: a number in powers of ten, or a date."""

_IMAGE_SUFFIX = r"(?i)\.(png|jpe?g|gif|tiff?|bmp|webp|dcm|dicom|nii|nii\.gz)\s*$"
_PART_OF_FIGURE = r"(%\d+|_\d{1,2})$"
_ARTICLE = r"\d{4}"


def made_up_patients(images: pa.Array, sources: pa.Array) -> pa.Array:
    """One id for all images of an article, or of a figure where no article is known.

    A source is an article where it holds four digits in a row (a DOI, a PMC number, a year): a hospital
    is not one patient. A figure is the image name without suffix and without ``%1`` or ``_1`` at its end.

    >>> made_up_patients(pa.array(["p6-52%0.png", "p6-52%1.png"]), pa.array(["", ""])).to_pylist()
    ['figure:p6-52', 'figure:p6-52']
    """
    stems = pc.replace_substring_regex(images, _IMAGE_SUFFIX, "")
    figures = pc.replace_substring_regex(pc.utf8_trim_whitespace(stems), _PART_OF_FIGURE, "")
    by_figure = pc.binary_join_element_wise("figure:", figures, "")
    by_article = pc.binary_join_element_wise("source:", pc.utf8_trim_whitespace(sources), "")
    return pc.if_else(pc.match_substring_regex(sources, _ARTICLE), by_article, by_figure)


class SeenImages:
    """Remembers images by 8-byte digests of id and content: 16 bytes a row, however long the ids.

    Digests lie in sorted runs that are merged when they grow alike, as in a log-structured merge tree.
    Two different ids share a digest with a chance of 3 in 10^8 for a million rows.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[Digests, Digests]] = []

    def check(self, images: pa.Array, contents: pa.Array) -> npt.NDArray[np.uint8]:
        """``NEW``, ``REPEATED`` or ``CHANGED`` for each row, shape ``(n_rows,)``; remembers the new ones."""
        keys, values = _digests(images), _digests(contents)
        verdict = np.full(len(keys), NEW, np.uint8)
        for known_keys, known_values in self._runs:
            _judge(verdict, keys, values, known_keys, known_values)
        new = np.flatnonzero(verdict == NEW)
        run_keys, places = np.unique(keys[new], return_index=True)
        run = run_keys, values[new][places]
        _judge(verdict, keys, values, *run)
        verdict[new[places]] = NEW
        self._remember(*run)
        return verdict

    def _remember(self, keys: Digests, values: Digests) -> None:
        self._runs.append((keys, values))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (old_keys, old_values), (keys, values) = self._runs[-2:]
            keys, values = np.concatenate([old_keys, keys]), np.concatenate([old_values, values])
            order = np.argsort(keys, kind="stable")
            self._runs[-2:] = [(keys[order], values[order])]


def _judge(
    verdict: npt.NDArray[np.uint8], keys: Digests, values: Digests, known_keys: Digests, known_values: Digests
) -> None:
    """Set the verdict of the rows that are still ``NEW`` and whose key is known."""
    if not len(known_keys):
        return
    places = np.minimum(np.searchsorted(known_keys, keys), len(known_keys) - 1)
    found = (verdict == NEW) & (known_keys[places] == keys)
    same = known_values[places] == values
    verdict[found & same] = REPEATED
    verdict[found & ~same] = CHANGED


def _digests(texts: pa.Array) -> Digests:
    packed = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts.to_pylist())
    return np.frombuffer(packed, np.uint64)
