"""``annotate.manifest``: an export can be traced back, and the same data give the same manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

from annotate.export_people import People
from annotate.manifest import Database, Manifest, SplitMade, counts_of, file_hash, image_listing, utc
from nlp.lexicon import load_lexicon

KEYS = load_lexicon().finding_keys


def manifest(folder: Path) -> Manifest:
    (folder / "labelled.csv").write_text("x\n")
    table = pd.DataFrame(
        [
            {"patient_id": "a", "review": "auto", "split": "train", "lexicon_version": "v1"},
            {"patient_id": "a", "review": "confirmed", "split": "train", "lexicon_version": "v2"},
            {"patient_id": "b", "review": "confirmed", "split": "", "lexicon_version": "v2"},
        ]
    ).assign(covid19="1", **dict.fromkeys(KEYS, ""))
    return Manifest(
        made=utc(0),
        format="contract",
        options={"spreadsheet": False},
        files=[file_hash(folder / "labelled.csv", "labelled.csv")],
        database=Database("id", 1, 5),
        images=image_listing(["labelled.csv", "gone.png", "../out.png"], folder),
        counts=counts_of(table, KEYS),
        people=People({"anna": 2}, {}, {}),
        unsettled={"é.png": [KEYS[0]]},
        split=SplitMade("anna", utc(60), 0, (60, 15, 25), False, 0),
    )


def test_manifest_is_the_same_for_the_same_data(tmp_path: Path) -> None:
    assert manifest(tmp_path).text() == manifest(tmp_path).text()
    found = json.loads(manifest(tmp_path).text())
    assert found["files"] == [
        {"name": "labelled.csv", "bytes": 2, "sha256": hashlib.sha256(b"x\n").hexdigest()}
    ]
    assert found["tool"]["name"] == "lesion-labels" and found["manifest_version"] == 1
    assert found["split"]["ratios"] == [60, 15, 25] and found["unsettled"] == {"é.png": [KEYS[0]]}


def test_manifest_counts_records_patients_and_cells(tmp_path: Path) -> None:
    counts = json.loads(manifest(tmp_path).text())["counts"]
    assert counts["records"] == 3 and counts["patients"] == 2
    assert counts["review"] == {"auto": 1, "confirmed": 2, "adjudicated": 0}
    assert counts["split"] == {"train": {"records": 2, "patients": 1}, "blank": {"records": 1, "patients": 1}}
    assert counts["labels"]["covid19"] == {"1": 3, "0": 0, "-1": 0, "blank": 0}
    assert counts["lexicon_versions"] == {"v1": 1, "v2": 2}


def test_manifest_lists_images_by_name_and_size_and_never_outside(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "out.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "out.png")
    (folder / "a.png").write_bytes(b"123")
    listing = image_listing(["a.png", "../out.png", "link.png", "gone.png"], folder)
    assert (listing.found, listing.missing, listing.bytes) == (1, 3, 3)
    assert listing.sha256 == hashlib.sha256(b"a.png\t3\n").hexdigest()
    (folder / "a.png").write_bytes(b"1234")
    assert image_listing(["a.png"], folder).sha256 != listing.sha256
