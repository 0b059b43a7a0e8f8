"""Everything that may be handed to ``train.predict``: bad files, DICOM with names of people, several runs."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import train.predict
import train.report
from nlp.errors import InputError, OutputError
from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
from train.patient_key import patient_key
from train.predict import predict
from train.predictions import read_predictions
from train.run import run
from train.saved_thresholds import read_thresholds

CANARY = "CANARY^PERSON"
TAGS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "InstitutionName", "AccessionNumber"),
    *(
        "ReferringPhysicianName",
        "StudyDescription",
        "SeriesDescription",
        "StudyID",
        "ImageComments",
        "StationName",
    ),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images`` and two finished runs of different preparation, ``a`` and ``b``."""
    folder = tmp_path_factory.mktemp("made")
    table = write_phantoms(folder, phantom_records(24))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.report, "write_report", lambda folder, records: None)
        for name, settings in (("a", {}), ("b", {"crop": "lungs", "seed": 1})):
            config = phantom_config(image_size=48, epochs=1, **settings)
            run(table, folder / "images", config, out=folder / name, bootstraps=50)
    return folder


def picture() -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 100)).astype(np.uint8)).save(
        content, "PNG"
    )
    return content.getvalue()


def test_predict_names_every_bad_file_once_and_does_the_rest(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pydicom = pytest.importorskip("pydicom")
    folder = tmp_path / "mixed"
    folder.mkdir()
    ct = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    (folder / "good.dcm").write_bytes(ct.read_bytes())
    (folder / "good.png").write_bytes(picture())
    (folder / "truncated.dcm").write_bytes(ct.read_bytes()[:-9000])
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "empty.png").write_bytes(b"")
    with (folder / "large.png").open("wb") as file:
        file.truncate(400 * 2**20)  # a hole: nothing is written
    for name, members in {
        "slip.zip": {"../../evil.png": picture(), "inside.png": picture()},
        "bomb.zip": {"bomb.png": bytes(80 * 2**20)},
    }.items():
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
    out = tmp_path / "p.csv"
    assert train.predict.main([str(made / "a"), str(folder), "-o", str(out), "--device", "cpu"]) == 0
    found, said = read_predictions(out), capsys.readouterr()
    names = {image.removeprefix(f"{folder.as_posix()}/"): row for row, image in enumerate(found.images)}
    good = {name for name, row in names.items() if np.isfinite(found.logits[row]).all()}
    assert good == {"good.dcm", "good.png", "slip.zip/inside.png"}
    for name, reason in {
        "truncated.dcm": "damaged DICOM",
        "drawing.svg": "not a picture made of pixels",
        "empty.png": "0 bytes",
        "large.png": "400 MB",
        "slip.zip/member-1": "leads out of the archive",
        "bomb.zip": "zip bomb",
    }.items():
        assert reason in found.warnings[names.pop(name)] and said.err.count(f"{folder / name}: ") == 1
    assert set(names) == good and "6 of 9 images cannot be read" in said.err
    assert not (tmp_path / "evil.png").exists() and not (tmp_path.parent / "evil.png").exists()


def test_predict_shows_and_keeps_nothing_that_names_a_person(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pydicom = pytest.importorskip("pydicom")
    test_files = Path(pydicom.__file__).parent / "data" / "test_files"
    dataset = pydicom.dcmread(test_files / "CT_small.dcm")
    for tag in TAGS:
        setattr(dataset, tag, CANARY if pydicom.datadict.dictionary_VR(tag) != "DA" else "19010203")
    (tmp_path / "study").mkdir()
    for number in range(2):
        dataset.InstanceNumber = number
        dataset.save_as(tmp_path / "study" / f"{number}.dcm")
    content = (tmp_path / "study" / "0.dcm").read_bytes()
    (tmp_path / "study" / "cut.dcm").write_bytes(content[:-9000])
    (tmp_path / "study" / "odd.dcm").write_bytes(content.replace(b"UI", b"XX", 3))
    arguments = [str(made / "a"), str(tmp_path / "study"), "-o", str(tmp_path / "out.csv"), "--debug"]
    assert train.predict.main([*arguments, "--heatmaps", str(tmp_path / "maps"), "--device", "cpu"]) == 0
    said = capfd.readouterr()
    made_files = [tmp_path / "out.csv", *(tmp_path / "maps").iterdir()]
    everything = b"\n".join(
        [said.out.encode(), said.err.encode(), *(path.read_bytes() for path in made_files)]
    )
    series = str(dataset.SeriesInstanceUID).encode()
    for secret in (CANARY.encode(), b"19010203", series, str(dataset.StudyInstanceUID).encode()):
        assert secret not in everything
    patients = read_predictions(tmp_path / "out.csv").patient_ids
    assert patients[0] == patients[1] != "" and len(made_files) > 3


def test_predict_json_lines_hold_the_same(made: Path, tmp_path: Path) -> None:
    paths = [made / "images", tmp_path / "gone.png"]
    for name in ("p.csv", "p.jsonl"):
        predict(made / "a", paths, tmp_path / name)
    found = read_predictions(tmp_path / "p.csv")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["image"] for each in lines] == list(found.images)
    flags = [each["covid19_logit"] for each in lines]
    np.testing.assert_array_equal(np.array(flags[:-1], dtype=np.float32), found.logits[:-1, 0])
    assert (
        flags[-1] is None
        and lines[-1]["covid19_prediction"] is None
        and "no such file" in lines[-1]["warning"]
    )
    with pytest.raises(OutputError, match=r"must end in .csv or .jsonl"):
        predict(made / "a", paths, tmp_path / "p.txt")


def test_predict_ensemble_is_the_mean_of_calibrated_logits(made: Path, tmp_path: Path) -> None:
    for name, runs in {"a": ["a"], "b": ["b"], "both": ["a", "b"], "twice": ["a", "a"]}.items():
        predict([made / each for each in runs], [made / "images"], tmp_path / f"{name}.csv")
    a, b, both, twice = (read_predictions(tmp_path / f"{name}.csv") for name in ("a", "b", "both", "twice"))
    heat = [read_thresholds(made / name / "metrics.json").calibration.temperature for name in "ab"]
    np.testing.assert_allclose(
        both.logits[:, 0], (a.logits[:, 0] / heat[0] + b.logits[:, 0] / heat[1]) / 2, atol=1e-5
    )
    np.testing.assert_allclose(both.logits[:, 1:], (a.logits[:, 1:] + b.logits[:, 1:]) / 2, atol=1e-5)
    np.testing.assert_allclose(twice.probabilities, a.probabilities, atol=1e-5)
    assert twice.called.tolist() == a.called.tolist()


def test_predict_patient_key_is_made_once_and_kept(tmp_path: Path) -> None:
    made = patient_key(tmp_path / "key")
    assert patient_key(tmp_path / "key") == made and len(made) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert patient_key(None) != patient_key(None)
    (tmp_path / "other").write_text("hello")
    with pytest.raises(InputError, match="holds no patient key"):
        patient_key(tmp_path / "other")
