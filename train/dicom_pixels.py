"""From the pixels of a DICOM file to grey: Hounsfield units, window, polarity, orientation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.errors import ImageError
from train.dicom import COLOUR, NOT_AXIAL, NOT_CT, SCOUT, FloatArray
from train.dicom_window import Window

Values = NDArray[np.float64]
_LUMA = np.array([0.299, 0.587, 0.114])
_MOST_PIXELS = 100_000_000


def grey_slice(
    dataset: Any, frame: int | None, window: Window, *, frames: int
) -> tuple[FloatArray, tuple[str, ...]]:
    """See ``train.dicom.read_slice``; ``dataset`` is pydicom's, with so many ``frames``.

    Raises:
        ImageError: no picture, several and none named, or a compression without decoder.
    """
    _check(dataset, frame, frames)
    pixels = _pixels(dataset, frame or 0)
    groups = _groups(dataset, frame or 0)
    is_ct = str(dataset.get("Modality")) == "CT"
    notes = [NOT_CT] if not is_ct else []
    if "LOCALIZER" in (_tag(groups, "ImageType") or ()):
        notes.append(SCOUT)
    if pixels.ndim == 3:
        return _colour(dataset, pixels), (*notes, COLOUR)
    values = pixels * float(_tag(groups, "RescaleSlope") or 1) + float(_tag(groups, "RescaleIntercept") or 0)
    shown = _windowed(values, window) if is_ct else _as_shown(values, groups)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        shown = 1 - shown
    upright, is_axial = _upright(shown, _tag(groups, "ImageOrientationPatient"))
    return np.ascontiguousarray(upright, dtype=np.float32), (*notes, *([] if is_axial else [NOT_AXIAL]))


def _check(dataset: Any, frame: int | None, frames: int) -> None:
    if "PixelData" not in dataset or "Rows" not in dataset:
        raise ImageError("is a DICOM file, or calls itself one, without a picture in it")
    if frame is None and frames > 1:
        raise ImageError(f"holds {frames} pictures; name one: FILE/frame-1 … FILE/frame-{frames}")
    if frame is not None and frame >= frames:
        raise ImageError(f"holds {frames} pictures, and frame {frame + 1} is not among them")
    if int(dataset.Rows) * int(dataset.Columns) > _MOST_PIXELS:
        raise ImageError(
            f"{dataset.Columns} × {dataset.Rows} pixels are more than the {_MOST_PIXELS:,} that are read"
        )


def _pixels(dataset: Any, frame: int) -> Values:
    """(height, width) as stored, or (height, width, 3) in RGB."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    try:
        found = pixel_array(dataset, index=frame)
    except RuntimeError:
        name = getattr(syntax, "name", "unknown")
        raise ImageError(f"its compression ({name}) cannot be decoded here, or its data is damaged") from None
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        found = apply_color_lut(found, dataset)
    return np.asarray(found, dtype=np.float64)


def _groups(dataset: Any, frame: int) -> list[Any]:
    """Where a value of one picture may stand: its own group, the group of all, the file."""
    found = []
    for name, place in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(name)
        if sequence and place < len(sequence):
            found += [item for part in sequence[place] if part.VR == "SQ" for item in part.value]
    return [*found, dataset]


def _tag(groups: list[Any], name: str) -> Any:
    return next((each.get(name) for each in groups if each.get(name) is not None), None)


def _windowed(values: Values, window: Window) -> Values:
    found: Values = np.clip((values - window.centre) / window.width + 0.5, 0, 1)
    return found


def _as_shown(values: Values, groups: list[Any]) -> Values:
    """No Hounsfield units: the window that the file asks for, else from its lowest to its highest value."""
    centre, width = (np.ravel(_tag(groups, name) or [])[:1] for name in ("WindowCenter", "WindowWidth"))
    if centre.size and width.size and float(width[0]) > 0:
        return _windowed(values, Window(float(centre[0]), float(width[0])))
    low, high = values.min(), values.max()
    found: Values = (values - low) / (high - low or 1)
    return found


def _colour(dataset: Any, pixels: Values) -> FloatArray:
    depth = (
        16
        if dataset.get("PhotometricInterpretation") == "PALETTE COLOR" and pixels.max() > 255
        else int(dataset.BitsStored)
    )
    grey: FloatArray = np.clip(pixels[:, :, :3] @ _LUMA / (2**depth - 1), 0, 1).astype(np.float32)
    return grey


def _upright(picture: Values, orientation: Any) -> tuple[Values, bool]:
    """The slice turned and mirrored so that left is the patient's right and up is in front, and whether it is axial."""
    if orientation is None or len(orientation) != 6:
        return picture, True  # nothing is known
    row, column = np.asarray(orientation, dtype=float).reshape(2, 3)
    main = int(np.abs(row).argmax()), int(np.abs(column).argmax())
    if sorted(main) != [0, 1]:
        return picture, False
    if main == (1, 0):
        picture, row, column = picture.T, column, row
    if row[0] < 0:
        picture = picture[:, ::-1]
    if column[1] < 0:
        picture = picture[::-1]
    return picture, True
