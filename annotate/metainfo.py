"""The MetaInfo tables of COVID-CT: patient, article and caption of each published image.

Where two tables hold a caption, that of the LA-DNN authors' table counts: their lesion labels were read
from it, and the data set's own table cut some captions at their semicolons.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from annotate.tables import read_table
from nlp.column_names import listed_columns
from nlp.encodings import first_invalid_byte
from nlp.errors import InputError
from nlp.image_names import stem

POSITIVES, CONTROLS, AUTHORS = (
    "COVID-CT-MetaInfo.csv",
    "NonCOVID-CT-MetaInfo.csv",
    "COVID-CT-MetaInfo_new.csv",
)

_ENCODING = "gb18030"  # of the authors' table, as a Chinese Excel saves it
_IMAGE_COLUMNS = ("imgname", "image name", "file name", "image")
_PLACE = re.compile(r"([-_]p\d+-\d+|[%_]\d+(%\d+)?$).*")
_CONTROL_PATIENT = re.compile(r"(.+?)[ _-]*patient", re.IGNORECASE)


@dataclass(frozen=True)
class About:
    """What the tables say of an image."""

    patient: str = ""
    source: str = ""
    caption: str = ""


def read_about(folder: Path) -> tuple[dict[str, About], list[str]]:
    """What is known of each image, by its name and by its stem where only one image has it; and notes.

    Raises:
        InputError: a table is missing, cannot be read or lacks a column.
    """
    named = _positives(folder) | _controls(folder / CONTROLS)
    stems = Counter(map(stem, named))
    by_stem = {stem(name): about for name, about in named.items() if stems[stem(name)] == 1}
    return by_stem | named, _shared_patients(named)


def article(name: str) -> str:
    """What a published image name says of its article: all before page and figure.

    >>> article("2020.01.24.919183-p27-132.png"), article("PIIS0140673620301549_0%1")
    ('2020.01.24.919183', 'PIIS0140673620301549')
    """
    return _PLACE.sub("", stem(name))


def read_raw(path: Path) -> pd.DataFrame:
    """A published table; one that is not UTF-8 is GB18030.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path} is missing; the published tables must lie together in this folder")
    return read_table(path, None if first_invalid_byte(path) < 0 else _ENCODING)


def image_names(table: pd.DataFrame) -> list[str]:
    """The column that is named after images, else the first."""
    headers = [str(name).strip().lower() for name in table.columns]
    place = next((headers.index(name) for name in _IMAGE_COLUMNS if name in headers), 0)
    return [str(name).strip() for name in table.iloc[:, place]]


def one_column(path: Path, table: pd.DataFrame, name: str) -> list[str]:
    """The cells of a column.

    Raises:
        InputError: there is none of that name.
    """
    if name not in table.columns:
        known = listed_columns([str(each) for each in table.columns if each])
        raise InputError(f"{path} lacks the column {name}; it has {known}")
    return list(table[name])


def _positives(folder: Path) -> dict[str, About]:
    path = folder / POSITIVES
    table = read_raw(path)
    names = image_names(table)
    captions = one_column(path, table, "Captions")
    authors = _authors_captions(folder / AUTHORS)
    sources = _sources(names, one_column(path, table, "DOI"))
    patients = one_column(path, table, "Patient ID")
    return {
        name: About(patient.strip(), sources[article(name)], authors.get(stem(name), caption))
        for name, patient, caption in zip(names, patients, captions, strict=True)
    }


def _authors_captions(path: Path) -> dict[str, str]:
    """By stem, since some names lack their suffix; image and caption are the first and last column, unnamed."""
    if not path.exists():
        return {}
    table = read_raw(path)
    return dict(zip(map(stem, image_names(table)), table.iloc[:, -1], strict=True))


def _sources(names: list[str], dois: list[str]) -> Mapping[str, str]:
    """By article: its DOI where any of its rows has one (some hold blanks in or around it), else its name."""
    sources: dict[str, str] = defaultdict(str)
    for name, doi in zip(names, dois, strict=True):
        sources[article(name)] = sources[article(name)] or re.sub(r"\s", "", doi)
    return {name: doi or name for name, doi in sources.items()}


def _controls(path: Path) -> dict[str, About]:
    """Controls have no article; their patient ids begin with the collection they come from."""
    table = read_raw(path)
    patients = [patient.strip() for patient in one_column(path, table, "patient id")]
    collections = [_CONTROL_PATIENT.match(patient) for patient in patients]
    return {
        name: About(patient, collection[1] if collection else "")
        for name, patient, collection in zip(image_names(table), patients, collections, strict=True)
    }


def _shared_patients(named: Mapping[str, About]) -> list[str]:
    """Patients with several articles: "Patient 2" of one paper is seldom "Patient 2" of another."""
    sources: dict[str, set[str]] = defaultdict(set)
    for about in named.values():
        sources[about.patient].add(about.source)
    shared = sorted(patient for patient, found in sources.items() if len(found) > 1 and patient)
    if not shared:
        return []
    return [
        f"patient ids with several sources, each kept as one patient: {len(shared)} ({', '.join(shared)})"
    ]
