"""Images that stand in no table: found below folders and inside archives, read as far as they can be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nlp.errors import ImageError
from nlp.image_names import IMAGE_SUFFIXES
from train.archives import ARCHIVE, members, opened
from train.dicom import is_dicom, read_header
from train.dicom_frames import DICOM_SUFFIXES, frame_path
from train.patient_key import patient_key
from train.progress import SILENT, Log
from train.records import Records

_TRIED = (*IMAGE_SUFFIXES, ".svg")
"""A drawing is named as one that cannot be read, not passed over."""


@dataclass(frozen=True)
class Chosen:
    """An image that was asked for.

    Attributes:
        path: of the file; it may go on inside an archive or a DICOM file with several pictures.
        patient_id: keyed hash of a DICOM file's patient; blank for other files.
        problem: why it is not read; blank where nothing stands against it.
    """

    path: Path
    patient_id: str = ""
    problem: str = ""


def chosen_images(paths: Sequence[Path], log: Log = SILENT, *, key: bytes | None = None) -> list[Chosen]:
    """Every image once, files as they were named, those of a folder or archive in the order of their names.

    The slices of a DICOM series stand together, from one end to the other. Below folders and in archives, hidden files
    and files that are no images by their suffix or first bytes are passed over; ``log`` is told how many. A link that
    leads out of a folder is not followed.

    Args:
        key: makes the hashes of DICOM patients (``train.dicom``); None: a new one, so that nobody can make them again.

    Raises:
        ImageError: there is not a single one.
    """
    key = key or patient_key(None)  # never without: whoever guesses an id could make its plain hash
    found: dict[Path, Chosen] = {}
    passed = 0
    for path in paths:
        part = list(_below(path)) if path.is_dir() else list(_in_archives([path]))
        kept = [each for each in part if each.path == path or each.problem or _is_image(each.path)]
        passed += len(part) - len(kept)
        for each in _in_series(kept, key):
            found.setdefault(each.path if each.problem else each.path.resolve(), each)
    if passed:
        log(f"{passed} files without the suffix of an image are passed over")
    if not found:
        raise ImageError(f"there is no image in {', '.join(map(str, paths))}")
    return list(found.values())


def file_stems(images: Iterable[Path]) -> dict[Path, str]:
    """Image to the stem of the files that are made of it, no two alike: images of one stem are numbered.

    >>> list(file_stems([Path("a/1.png"), Path("b/1.png"), Path("c/1~2.png")]).values())
    ['1', '1~2', '1~2~2']
    """
    last: dict[str, int] = {}  # stem that is taken → the last number given to it
    stems = {}
    for path in images:
        stem = path.stem
        while stem in last:
            last[path.stem] += 1
            stem = f"{path.stem}~{last[path.stem]}"
        last[stem] = 1
        stems[path] = stem
    return stems


def unlabelled(chosen: Sequence[Chosen], finding_keys: Sequence[str]) -> Records:
    """Records of which nothing is known but the image and, of DICOM files, a made-up name of the patient."""
    count = len(chosen)
    blank, unknown = ("",) * count, np.full((count, len(finding_keys)), np.nan, dtype=np.float32)
    return Records(
        images=tuple(each.path.as_posix() for each in chosen),
        paths=tuple(each.path for each in chosen),
        patient_ids=tuple(each.patient_id for each in chosen),
        sources=blank,
        diagnoses=blank,
        splits=blank,
        covid19=np.full(count, np.nan, dtype=np.float32),
        findings=unknown,
        finding_cells=unknown,
        captioned=np.zeros(count, dtype=bool),
        finding_keys=tuple(finding_keys),
    )


def _below(folder: Path) -> Iterator[Chosen]:
    top = folder.resolve()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(place) / name for name in sorted(names) if not name.startswith(".")):
            if path.resolve().is_relative_to(top):
                yield from _in_archives([path])
            else:
                yield Chosen(
                    path, problem=f"{path}: is a link that leads out of its folder; name the file itself"
                )


def _in_archives(paths: Iterable[Path]) -> Iterator[Chosen]:
    for path in paths:
        if path.suffix.lower() != ARCHIVE or not path.is_file():
            yield Chosen(path)
            continue
        try:
            yield from (
                Chosen(each, problem=problem and f"{each}: {problem}") for each, problem in members(path)
            )
        except ImageError as error:
            yield Chosen(path, problem=str(error))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _TRIED or _calls_itself_dicom(path)


def _calls_itself_dicom(path: Path) -> bool:
    """By its first bytes: files of a scanner seldom have a suffix."""
    try:
        with opened(path) as file:
            return is_dicom(file.read(132))
    except Exception:  # the reader says what is wrong with it
        return False


def _in_series(chosen: Sequence[Chosen], key: bytes) -> Iterator[Chosen]:
    """The same with DICOM files taken apart; a series stands where its first slice stood."""
    series: dict[object, list[tuple[float, Chosen]]] = {}
    for place, each in enumerate(chosen):
        if each.problem or not (each.path.suffix.lower() in DICOM_SUFFIXES or _calls_itself_dicom(each.path)):
            series[place] = [(0.0, each)]
            continue
        try:
            with opened(each.path) as file:
                header = read_header(file, key)
        except Exception:  # the reader says what is wrong with it
            series[place] = [(0.0, each)]
            continue
        named = replace(each, patient_id=header.patient_id)
        frames = [replace(named, path=frame_path(each.path, frame)) for frame in range(header.frames)]
        slices = frames if header.frames > 1 else [named]
        series.setdefault(header.series or place, []).extend((header.place, one) for one in slices)
    for members_of in series.values():
        yield from (each for _, each in sorted(members_of, key=lambda one: one[0]))
