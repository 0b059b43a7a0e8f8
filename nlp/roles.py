"""What a column of the input can be for, and what a cell of the COVID column may hold.

The lists are about how people name columns and write flags; what a text says is the lexicon's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_COVID_WORDS = {
    "1": (
        *("1", "1.0", "1.00", "+", "cvd19", "covid19", "covid", "positive", "yes", "true", "confirmed"),
        *("covid19positive", "covidpositive", "pcrpositive", "rtpcrpositive"),
    ),
    "0": (
        *("0", "0.0", "0.00", "negative", "no", "false", "control", "noncovid", "noncovid19", "healthy"),
        *("normal", "covid19negative", "covidnegative", "pcrnegative", "rtpcrnegative"),
    ),
    "-1": ("-1", "-1.0", "suspected", "unclear", "probable", "possible", "presumed", "maybe", "?"),
    "": ("", "unstated", "unknown", "na", "n/a", "nan", "none", "null", "notstated", "missing"),
}
COVID_VALUES: Mapping[str, str] = MappingProxyType(
    {word: cell for cell, words in _COVID_WORDS.items() for word in words}
)
"""What a cell of ``--covid-column`` may hold, in any case, without spaces, hyphens and underscores."""


@dataclass(frozen=True)
class Role:
    """What a column can be for, the header names that say so (letters and digits only), and content."""

    name: str
    names: tuple[str, ...]
    content: str = ""
    required: bool = False

    @property
    def flag(self) -> str:
        """The option that chooses this column."""
        return f"--{self.name}-column"


ROLES: tuple[Role, ...] = (  # in the order in which columns are taken
    Role(
        "image",
        ("image", "imagename", "imagefile", "imagepath", "imageid", "imgname", "filename", "file", "path"),
        content=r"(?i)\S\.(png|jpe?g|gif|tiff?|bmp|webp|dcm|dicom|nii|nii\.gz)\s*$",
        required=True,
    ),
    Role(
        "patient",
        ("patientid", "patient", "subjectid", "subject", "patientno", "patientnumber", "pid", "mrn"),
        content=r"(?i)^\s*\w*(patient|subject)[ _-]?\w*\d\s*$",
    ),
    Role("panel", ("panel", "panelletter", "panelid", "subfigure", "subpanel")),
    Role(
        "source",
        ("source", "doi", "article", "pmcid", "pmid", "site", "hospital", "institution", "journal", "url"),
        content=r"(?i)^\s*(https?://\S+/|doi:\s*)?10\.\d{4,}/",
    ),
    Role("diagnosis", ("diagnosis", "disease", "class", "classname", "category")),
    Role(
        "text",
        ("caption", "captions", "text", "report", "reporttext", "description", "findings", "impression"),
        required=True,
    ),
    Role("covid", ()),
)


def covid_cell(value: str) -> str | None:
    """The contract's value for a cell of the COVID column, or None.

    >>> covid_cell("COVID-19"), covid_cell("Control"), covid_cell(" "), covid_cell("pneumonia")
    ('1', '0', '', None)
    """
    plain = value.strip().casefold()
    joined = re.sub(r"[\s_-]", "", plain) or plain  # a lone dash is not a blank
    return COVID_VALUES.get(plain, COVID_VALUES.get(joined))
