from __future__ import annotations

import io
import logging
import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp.errors import ImageError
from train.archives import content
from train.dicom import NOT_AXIAL, NOT_CT, read_header
from train.dicom_frames import forget_frames
from train.dicom_window import Window
from train.image_forms import read_grey, read_picture
from train.image_paths import chosen_images

pydicom = pytest.importorskip("pydicom")
CANARY = "CANARY^PERSON"
KEY = bytes(32)


def bundled(name: str) -> Path:
    """A test file that lies within pydicom's package."""
    return Path(pydicom.__file__).parent / "data" / "test_files" / name


def ct(values: np.ndarray[Any, Any], **tags: object) -> Any:
    """A CT slice, or several frames, whose Hounsfield units are these values."""
    made = pydicom.dcmread(bundled("CT_small.dcm"))
    stored = (np.asarray(values) + 2048).astype(np.uint16)
    made.Rows, made.Columns = stored.shape[-2:]
    made.PixelRepresentation, made.BitsStored, made.HighBit = 0, 16, 15
    made.RescaleSlope, made.RescaleIntercept = 1, -2048
    if stored.ndim == 3:
        made.NumberOfFrames = len(stored)
    made.PixelData = stored.tobytes()
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    for name, value in tags.items():
        setattr(made, name, value)
    return made


def saved(folder: Path, name: str, dataset: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save_as(folder / name)
    return folder / name


RAMP = np.linspace(-1500, 300, 120 * 100).reshape(120, 100).round()


def test_dicom_values_become_hounsfield_units_in_the_lung_window(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.dcm", ct(RAMP))
    found = read_picture(path)
    np.testing.assert_allclose(found.grey, np.clip((RAMP + 1350) / 1500, 0, 1), atol=1e-6)
    assert found.notes == ()
    other = read_grey(path, window=Window(40, 400))
    np.testing.assert_allclose(other, np.clip((RAMP + 160) / 400, 0, 1), atol=1e-6)


def test_dicom_polarity_follows_the_header(tmp_path: Path) -> None:
    plain = read_grey(saved(tmp_path, "a.dcm", ct(RAMP)))
    turned = read_grey(saved(tmp_path, "b.dcm", ct(RAMP, PhotometricInterpretation="MONOCHROME1")))
    np.testing.assert_allclose(turned, 1 - plain, atol=1e-6)


@pytest.mark.parametrize(
    ("orientation", "change"),
    [
        ([-1, 0, 0, 0, 1, 0], lambda a: a[:, ::-1]),
        ([1, 0, 0, 0, -1, 0], lambda a: a[::-1]),
        ([-1, 0, 0, 0, -1, 0], lambda a: a[::-1, ::-1]),
        ([0, 1, 0, 1, 0, 0], lambda a: a.T),
        ([0, -1, 0, 1, 0, 0], lambda a: a.T[::-1]),
    ],
)
def test_dicom_slices_are_turned_upright(orientation: list[int], change: Any, tmp_path: Path) -> None:
    upright = read_grey(saved(tmp_path, "a.dcm", ct(RAMP)))
    path = saved(tmp_path, "b.dcm", ct(RAMP, ImageOrientationPatient=orientation))
    np.testing.assert_allclose(read_grey(path), change(upright), atol=1e-6)


def test_dicom_other_planes_and_other_machines_are_told(tmp_path: Path) -> None:
    coronal = saved(tmp_path, "a.dcm", ct(RAMP, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))
    assert read_picture(coronal).notes == (NOT_AXIAL,)
    assert NOT_CT in read_picture(bundled("MR_small.dcm")).notes


def test_dicom_series_is_one_patient_in_the_order_of_its_positions(tmp_path: Path) -> None:
    for number, height in enumerate((30, 10, 20)):
        for patient in "ab":
            made = ct(RAMP, PatientID=f"{CANARY}{patient}", ImagePositionPatient=[0, 0, height])
            made.SeriesInstanceUID = f"1.2.{ord(patient)}"
            saved(tmp_path / "study", f"{number}{patient}", made)
    found = chosen_images([tmp_path / "study"], key=KEY)
    assert [each.path.name for each in found] == ["1a", "2a", "0a", "1b", "2b", "0b"]
    patients = [each.patient_id for each in found]
    assert len(set(patients[:3])) == 1 and len(set(patients)) == 2 and CANARY not in "".join(patients)
    again = chosen_images([tmp_path / "study"], key=bytes([1] * 32))
    assert not set(patients) & {each.patient_id for each in again}
    for key in (None, b""):  # nobody who knows an id can make its hash
        unnamed = [{each.patient_id for each in chosen_images([tmp_path / "study"], key=key)} for _ in "ab"]
        assert len(unnamed[0]) == 2 and not unnamed[0] & unnamed[1]


def test_dicom_frames_are_pictures_of_their_own(tmp_path: Path) -> None:
    frames = np.stack([np.full((100, 100), value) for value in (-1200, -600, 0)])
    path = saved(tmp_path, "several.dcm", ct(frames))
    found = chosen_images([path], key=KEY)
    assert [each.path.name for each in found] == ["frame-1", "frame-2", "frame-3"]
    assert [round(float(read_grey(each.path).mean()), 2) for each in found] == [0.1, 0.5, 0.9]
    with pytest.raises(ImageError, match="holds 3 pictures; name one"):
        read_grey(path)
    with pytest.raises(ImageError, match="frame 9 is not among them"):
        read_grey(path / "frame-9")


def test_dicom_frames_read_their_file_once_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[Path] = []
    monkeypatch.setattr("train.dicom_frames.content", lambda path: whole.append(path) or content(path))
    values = range(-1300, 100, 70)
    path = saved(tmp_path, "many.dcm", ct(np.stack([np.full((64, 64), value) for value in values])))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: read_grey(each.path)[0, 0], chosen_images([path])))
    assert found == pytest.approx([(value + 1350) / 1500 for value in values], abs=1e-6)
    assert whole == [path]
    saved(tmp_path, "many.dcm", ct(np.zeros((3, 64, 64))))
    os.utime(path, ns=(1, 1))
    assert read_grey(path / "frame-2")[0, 0] == pytest.approx(0.9) and len(whole) == 2
    forget_frames()


def test_dicom_frames_of_something_else_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no DICOM file")
    with pytest.raises(ImageError, match="frame-1: no such file"):
        read_grey(tmp_path / "a.png" / "frame-1")


def test_dicom_frames_are_no_more_than_the_file_holds(tmp_path: Path) -> None:
    made = ct(np.zeros((3, 100, 100)), NumberOfFrames=9_999)
    found = chosen_images([saved(tmp_path, "several.dcm", made)])
    assert len(found) == 3
    with pytest.raises(ImageError, match=r"frame-2: is a damaged DICOM file"):
        read_grey(found[1].path)
    made.PixelData = pydicom.encaps.encapsulate([b"--"] * 3)
    made.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    path = saved(tmp_path, "packed.dcm", made)
    assert len(chosen_images([path])) <= path.stat().st_size // 8 < 9_999


def test_dicom_files_may_be_called_like_frames(tmp_path: Path) -> None:
    several = np.stack([np.full((100, 100), value) for value in (-1200, -600, 0)])
    contents = {}
    for name, values in {"frame-1": RAMP, "d/frame-2": RAMP, "frame-3": several}.items():
        contents[name] = saved(tmp_path / "made", "one.dcm", ct(values)).read_bytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    found = {each.path.relative_to(tmp_path).as_posix(): each.path for each in chosen_images([tmp_path])}
    zipped = ["d/frame-2", "frame-1", *(f"frame-3/frame-{number}" for number in (1, 2, 3))]
    assert {name for name in found if "set.zip" in name} == {f"set.zip/{name}" for name in zipped}
    for name in zipped[:2]:
        np.testing.assert_array_equal(
            read_grey(found[f"set.zip/{name}"]), read_grey_of(contents[name], tmp_path)
        )
    assert round(float(read_grey(found["set.zip/frame-3/frame-2"]).mean()), 2) == 0.5


def read_grey_of(content: bytes, folder: Path) -> np.ndarray[Any, Any]:
    (folder / "plain.dcm").write_bytes(content)
    return read_grey(folder / "plain.dcm")


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "JPEG2000.dcm", "SC_rgb_jpeg.dcm", "examples_palette.dcm"]
)
def test_dicom_of_other_forms_is_read(name: str) -> None:
    if not bundled(name).exists():
        pytest.skip("not within this version of pydicom")
    found = read_grey(bundled(name))
    assert found.ndim == 2 and found.std() > 0.001 and found.min() >= 0 and found.max() <= 1


def test_dicom_without_a_picture_or_cut_short_is_one_error(tmp_path: Path) -> None:
    content = saved(tmp_path, "whole.dcm", ct(RAMP, PatientName=CANARY)).read_bytes()
    (tmp_path / "short.dcm").write_bytes(content[: len(content) // 2])
    for path in (tmp_path / "short.dcm", bundled("rtplan.dcm"), bundled("MR_truncated.dcm")):
        with pytest.raises(ImageError, match=r"\.dcm: ") as caught:
            read_grey(path)
        assert CANARY not in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "none.dcm").write_bytes(b"")
    with pytest.raises(ImageError, match="without a picture"):
        read_grey(tmp_path / "none.dcm")


def test_dicom_that_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ct(np.zeros((1000, 1000)))
    made.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    path = saved(tmp_path, "deflated.dcm", made)
    assert read_grey(path).shape == (1000, 1000)

    def never(*what: object, **how: object) -> bytes:
        raise AssertionError("inflated without a bound")

    monkeypatch.setattr("train.dicom.MOST_BYTES", 2**20)
    monkeypatch.setattr("zlib.decompress", never)
    (found,) = chosen_images([path])
    assert not found.patient_id, "its header lies behind what is not inflated"
    with pytest.raises(ImageError, match=r"deflated\.dcm: would inflate to more than the 1 MB"):
        read_grey(path)
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    monkeypatch.undo()
    with pytest.raises(ImageError, match="damaged DICOM"):
        read_grey(path)


def test_dicom_header_keeps_hashes_only() -> None:
    made = ct(RAMP, PatientID=CANARY, PatientName=CANARY, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")
    file = io.BytesIO()
    made.save_as(file)
    file.seek(0)
    found = read_header(file, KEY)
    assert len(found.patient_id) == len(found.series) == 16
    assert not {CANARY, "1.2.3", "1.2.4"} & {found.patient_id, found.series}


def test_dicom_library_is_silent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Bad values of tags, which the library would quote in warnings and in its log."""
    with caplog.at_level(logging.DEBUG):
        for name in ("badVR.dcm", "CT_small.dcm", "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"):
            shutil.copy(bundled(name), tmp_path / name)
            with suppress(ImageError):
                read_picture(tmp_path / name)
    said = capfd.readouterr()
    assert not caplog.records and not said.out and not said.err
