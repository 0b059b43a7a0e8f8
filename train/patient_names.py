"""Whose image a file is, by its name, where no table says so: the part before what counts images of one person.

Collections of radiographs name files after a patient or an article, then a visit, a view or a panel:
``00001362_008``, ``covid-19-pneumonia-58-day-10``, ``kjr-21-e24-g003-l-a``. The rule is cautious: all images of one
article count as one patient, so that nobody is ever on both sides of a split; some who are not the same are joined.
"""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"(\d{4,})_")  # a patient's or a case's number, then the image's
_HASHED = re.compile(r"([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", re.IGNORECASE)
_WORD_AND_NUMBER = re.compile(r"([A-Za-z]+)-\d+$")
_VISIT = re.compile(
    r"[-_.](?:day-?\d|\d+-(?:days|hours)\b|(?:on-)?admission|prior|aps?\b|pa\b|left\b|right\b|"
    r"[a-d]\b|figs?-?\d|(?<=_)f\d|gr?\d|fx\d|main\b|pdf\b|\w+_lrg)",
    re.IGNORECASE,
)
_IMAGE_OF_CASE = re.compile(r"(?<=\d)(?:-\d+|[a-d])$")


def patient_of(stem: str) -> str:
    """The patient, or the article, that a file name without its ending speaks of.

    >>> patient_of("00001362_008")
    '00001362'
    >>> patient_of("covid-19-pneumonia-58-day-10")
    'covid-19-pneumonia-58'
    >>> patient_of("ryct.2020200034.fig5-day7")
    'ryct.2020200034'
    """
    if found := _NUMBERED.match(stem) or _HASHED.match(stem) or _WORD_AND_NUMBER.match(stem):
        return found[1]
    visit = _VISIT.search(stem, 1)
    return _IMAGE_OF_CASE.sub("", stem[: visit.start()] if visit else stem)
