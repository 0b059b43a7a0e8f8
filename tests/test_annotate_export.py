"""``annotate.export``: what was loaded and decided comes out whole, and nothing leaks."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.adjudication import adjudicate
from annotate.adjudication_cases import case_of
from annotate.decision_forms import Box, Decision
from annotate.decisions import save
from annotate.export import export, export_zip, main
from annotate.export_data import read_data
from annotate.export_files import Form, Places
from annotate.load import load
from annotate.people import add_user
from annotate.split import split
from annotate.split_store import Choice, use_split
from annotate.store import Store, open_store
from annotate.store_tables import RECORD
from annotate.tables import read_labels, read_table, write_labels
from nlp.command import DONE, FAILED
from nlp.errors import ContractError, ImageError, OutputError, StoreError
from nlp.lexicon import load_lexicon
from nlp.schema import CELL_VALUES, MENTION_COLUMNS, SPLIT_VALUES, label_columns, row_problems
from nlp.write import csv_lines

LEXICON = load_lexicon()
KEYS = LEXICON.finding_keys
GGO, CSLD = KEYS[:2]
LABELS = ("covid19", *KEYS)
NAMES = [column.name for column in label_columns(KEYS)]
MENTION_NAMES = [column.name for column in MENTION_COLUMNS]
NUMBERS = itertools.count()
Row = dict[str, str]


def labels(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    basis = dict.fromkeys(NAMES, "") | {"review": "auto"}
    filled = [{**basis, "image": f"{n}.png", "patient_id": f"p{n}", **row} for n, row in enumerate(rows)]
    return pd.DataFrame(filled, columns=NAMES, dtype=object)


def fill(
    store: Store, folder: Path, rows: Sequence[Mapping[str, str]], mentions: pd.DataFrame | None = None
) -> None:
    """Load these rows as ``labels.csv``."""
    path = folder / "labels.csv"
    write_labels(labels(rows), path, KEYS)
    if mentions is not None:
        columns = [pa.array([name, *mentions[name]], pa.string()) for name in MENTION_NAMES]
        content = csv_lines(pa.record_batch(columns, names=MENTION_NAMES))
        (folder / "mentions.csv").write_bytes(content)
    load(store, path, mentions=folder / "mentions.csv" if mentions is not None else None)


def mention(image: str, caption: str, start: int, end: int, **cells: str) -> Row:
    known = {"image": image, "start": str(start), "end": str(end), "text": caption[start:end], "term": "t"}
    given = {"finding": GGO, "assertion": "present", "rule": "default", "match": "exact", "score": "100"}
    return dict.fromkeys(MENTION_NAMES, "") | known | given | cells


def decide(store: Store, name: str, image: str, cells: Mapping[str, str], **more: object) -> None:
    with store.write() as connection:
        add_user(connection, name, now=time.time())
        record = connection.execute(RECORD.select().where(RECORD.c.image == image)).one()
        whole = {**record.labels, **cells}
        decision = Decision(f"op-{next(NUMBERS):08}", record.id, "confirm", whole, **more)  # type: ignore[arg-type]
        (ack,) = save(connection, store.findings, name, [decision], now=time.time())
    assert ack.status == "saved"


def settle(store: Store, name: str, image: str, cells: Mapping[str, str]) -> None:
    with store.write() as connection:
        record = connection.execute(RECORD.select().where(RECORD.c.image == image)).one()
        ack = adjudicate(
            connection,
            name,
            findings=KEYS,
            op_id=f"op-{next(NUMBERS):08}",
            record_id=record.id,
            labels={**record.labels, **cells},
            reason="seen twice",
            base=case_of(connection, record.id, name).seen,
            now=1,
        )
    assert ack.status == "saved"


def write(store: Store, folder: Path, **options: object) -> tuple[Path, Path]:
    places = Places(folder / "labelled.csv", folder / "mentions.csv")
    export(read_data(store), LEXICON, places, Form(**options), now=0)  # type: ignore[arg-type]
    return places.output, folder / "mentions.csv"


# ---- round trip

ugly = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            '=cmd()|" /C calc"!A0',
            'a\r\nb,"c";\td',
            "\r",
            "<script>alert(1)</script>",
            "NA",
            "007",
            " x ",
            "\ufeff",
            "é\u0301",
        ]
    ),
)
records = st.fixed_dictionaries(
    {
        "patient_id": st.sampled_from(["p1", "p2", "=p 3", "None"]),
        **dict.fromkeys(("source", "panel", "caption", "diagnosis"), ugly),
        **{key: st.sampled_from(CELL_VALUES) for key in LABELS},
        "review": st.sampled_from(["auto", "confirmed", "adjudicated"]),
        "flags": st.sampled_from(["", "no_text;covid_conflict"]),
        "lexicon_version": st.sampled_from(["", "ef25d2d0bdc4"]),
    }
)


@settings(max_examples=8)
@given(
    st.lists(records, min_size=1, max_size=5), st.lists(st.sampled_from(SPLIT_VALUES), min_size=4, max_size=4)
)
def test_export_then_load_then_export_is_identical(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], splits: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    sets = dict(zip(("p1", "p2", "=p 3", "None"), splits, strict=True))
    for row in rows:
        row["split"] = sets[row["patient_id"]]
        if row["review"] != "auto":  # a person leaves no blank behind
            row |= {key: row[key] or "0" for key in KEYS}
    said = [
        mention(f"{n}.png", row["caption"], 0, len(row["caption"]))
        for n, row in enumerate(rows)
        if row["caption"]
    ]
    contents = []
    for turn in ("first", "second"):
        place = folder / turn
        place.mkdir()
        store = open_store(str(place / "labels.db"))
        if turn == "first":
            fill(store, place, rows, pd.DataFrame(said, columns=MENTION_NAMES))
        else:
            load(store, folder / "first" / "labelled.csv", mentions=folder / "first" / "mentions.csv")
        contents.append([path.read_bytes() for path in write(store, place)])
        store.close()
    assert contents[0] == contents[1]
    again = read_labels(folder / "second" / "labelled.csv", KEYS)
    assert again[NAMES].to_dict("records") == labels(rows)[NAMES].to_dict("records")


def test_export_mentions_are_those_of_the_text_until_a_person_edits_them(
    store: Store, tmp_path: Path
) -> None:
    caption = "No ground-glass; consolidation."
    said = pd.DataFrame(
        [
            mention(f"{n}.png", caption, 3, 15, assertion="negated", cue="No", cue_start="0", cue_end="2")
            for n in (0, 1)
        ]
    )
    fill(store, tmp_path, [{"caption": caption}] * 2, said)
    new = {"finding": CSLD, "assertion": "uncertain", "start": 17, "end": 30}
    decide(store, "anna", "0.png", {CSLD: "-1"}, mentions=({**new, "assertion": "present"},))
    decide(store, "bert", "0.png", {CSLD: "-1"}, mentions=(new,))
    decide(store, "anna", "1.png", {})
    _, path = write(store, tmp_path)
    table = read_table(path)
    assert table.iloc[1].to_dict() == said.iloc[1].to_dict()
    first = table.iloc[0]
    assert (first["finding"], first["assertion"], first["text"], first["rule"]) == (
        CSLD,
        "uncertain",
        "consolidation",
        "annotator",
    )
    assert all(row_problems(row, MENTION_COLUMNS) == [] for row in table.to_dict("records"))
    manifest = json.loads((tmp_path / "labelled.manifest.json").read_text())
    assert manifest["counts"]["marks"] == {
        "mentions": 2,
        "edited_by_people": 1,
        "edited_by_several": 1,
        "boxes": 0,
    }


def test_export_leaves_out_mentions_that_a_person_deleted(store: Store, tmp_path: Path) -> None:
    caption = "Ground-glass opacity."
    fill(store, tmp_path, [{"caption": caption}] * 2, pd.DataFrame([mention("0.png", caption, 0, 12)]))
    decide(store, "anna", "0.png", {GGO: "0"}, mentions=())
    decide(store, "anna", "1.png", {})
    _, path = write(store, tmp_path)
    assert len(read_table(path)) == 0 and read_data(store).marks.edited == 1


# ---- refusals


def leak(store: Store, tmp_path: Path) -> Path:
    """Two patients in two sets, and a table that says they share an image."""
    fill(store, tmp_path, [{"split": "train"}, {"split": "test"}])
    pairs = tmp_path / "near_duplicates.csv"
    pairs.write_text("image_a,image_b\n0.png,1.png\n")
    return pairs


def test_export_refuses_a_leak_and_leaves_the_old_file(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, target = leak(store, tmp_path), tmp_path / "labelled.csv"
    target.write_text("old")
    url = store.engine.url.render_as_string(hide_password=False)
    command = ["--db", url, "-o", str(target)]
    assert main([*command, "--keep-together", str(pairs)]) == FAILED
    assert "p0, p1: train and test" in capsys.readouterr().err
    assert target.read_text() == "old" and not list(tmp_path.glob("*manifest*"))
    assert main(command) == DONE  # without the pairs nobody can know
    assert target.read_text() != "old"


def test_export_remembers_what_the_split_kept_together(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path, [{"covid19": "1"}] * 8)
    table = read_data(store).table
    choice = Choice((60, 15, 25), keep_together=(("0.png", "1.png"),))
    with store.write() as connection:
        add_user(connection, "anna", now=0)
        division = split(table, KEYS, keep_together=choice.keep_together)
        use_split(connection, division, choice, actor="anna", now=0)
    data = read_data(store)
    made = data.split
    assert made is not None and (made.by, made.time, made.keep_together) == (
        "anna",
        "1970-01-01T00:00:00Z",
        1,
    )
    apart = data.table.assign(split=["train", "test"] * 4)
    with pytest.raises(ContractError, match="p0, p1: train and test"):
        replace(data, table=apart).checked()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "{}/labelled.xlsx"], "must end in .csv or .parquet"),
        (["-o", "{}/tasks.csv", "--format", "label-studio"], "must end in .json"),
        (["-o", "{}/t.json", "--format", "label-studio", "--mentions", "{}/m.csv"], "leave out --mentions"),
        (["-o", "{}/none/labelled.csv"], "there is no folder"),
        (["-o", "{}/a.csv", "--mentions", "{}/a.csv"], "two results would go to one file"),
        (["-o", "{}/labelled.csv", "--reviewed-only"], "no record is reviewed yet"),
    ],
)
def test_export_says_what_it_cannot_write(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    fill(store, tmp_path, [{}])
    url = store.engine.url.render_as_string(hide_password=False)
    before = sorted(tmp_path.iterdir())
    assert main(["--db", url, *(each.format(tmp_path) for each in arguments)]) == FAILED
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_export_of_an_empty_database_says_how_to_fill_it(store: Store) -> None:
    with pytest.raises(
        StoreError, match=r"holds no record: load a table first, with python -m annotate\.load"
    ):
        read_data(store)


# ---- what people did


def test_export_manifest_traces_files_people_and_what_is_unsettled(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path, [{GGO: "1", "caption": "ground glass", "lexicon_version": "abc"}] * 3)
    for name, cell in (("anna", "1"), ("bert", "0")):
        for image in ("0.png", "1.png"):
            decide(store, name, image, {GGO: cell if image == "0.png" else "1"})
    output, mentions = write(store, tmp_path)
    table = read_labels(output, KEYS).set_index("image")
    assert table.loc["0.png", [GGO, CSLD, "review"]].tolist() == ["-1", "0", "confirmed"]
    assert table.loc["2.png", [GGO, CSLD, "review"]].tolist() == ["1", "", "auto"]
    text = (tmp_path / "labelled.manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["unsettled"] == {"0.png": [GGO]}
    assert manifest["people"]["annotators"] == {"anna": 2, "bert": 2}
    agreement = manifest["people"]["agreement"]
    assert agreement[GGO]["records"] == 2 and agreement[GGO]["disagreed"] == 1
    assert agreement[CSLD]["alpha"] is None and "all annotators agree" in agreement[CSLD]["reason"]
    assert manifest["counts"]["review"] == {"auto": 1, "confirmed": 2, "adjudicated": 0}
    assert manifest["counts"]["lexicon_versions"] == {"abc": 3}
    for path, file in zip((output, mentions), manifest["files"], strict=True):
        content = path.read_bytes()
        expected = {"name": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert file == expected
    write(store, tmp_path)
    assert (tmp_path / "labelled.manifest.json").read_text() == text
    assert "ground glass" not in text


def test_export_takes_the_adjudicator_over_everybody(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path, [{GGO: "1"}, {}])
    decide(store, "anna", "0.png", {GGO: "1"})
    decide(store, "bert", "0.png", {GGO: "0"})
    settle(store, "anna", "0.png", {GGO: "0"})
    data = read_data(store, reviewed_only=True)
    assert data.table[["image", GGO, "review"]].to_numpy().tolist() == [["0.png", "0", "adjudicated"]]
    assert data.unsettled == {} and data.people.adjudicators == {"anna": 1}


# ---- forms


def test_export_spreadsheet_runs_nothing_and_keeps_minus_one(store: Store, tmp_path: Path) -> None:
    long = "consolidation " * 8_000
    captions = ["=cmd()|'/C calc'!A0", "<script>alert(1)</script>", long, "-1"]
    fill(store, tmp_path, [{"caption": text, GGO: "-1", "source": "@x"} for text in captions])
    output, _ = write(store, tmp_path)
    raw = read_labels(output, KEYS)
    assert raw["caption"].tolist() == captions
    output, _ = write(store, tmp_path, spreadsheet=True)
    safe = read_table(output)
    assert safe["caption"].tolist() == [f"'{captions[0]}", captions[1], long, "'-1"]
    assert set(safe[GGO]) == {"-1"} and set(safe["source"]) == {"'@x"}
    options = json.loads((tmp_path / "labelled.manifest.json").read_text())["options"]
    assert options["escaped_cells"]["labelled.csv"] == {"source": 4, "caption": 2}


def test_export_command_prints_what_is_missing(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store, tmp_path, [{GGO: "1"}, {"caption": "=1"}])
    decide(store, "anna", "0.png", {GGO: "1"})
    decide(store, "bert", "0.png", {GGO: "0"})
    url = store.engine.url.render_as_string(hide_password=False)
    assert main(["--db", url, "-o", str(tmp_path / "labelled.parquet"), "--spreadsheet"]) == DONE
    shown = capsys.readouterr().out
    assert "records: 2 (auto 1, confirmed 1)" in shown and "nobody has settled: 1 of 1 records" in shown
    assert "patients without a set: 2" in shown and "apostrophe against formulas: caption 1" in shown


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("contract", ["labelled.csv", "mentions.csv", "labelled.manifest.json"]),
        ("chexpert", ["chexpert.csv", "mentions.csv", "chexpert.manifest.json"]),
        ("label-studio", ["label-studio.json", "label-studio.config.xml", "label-studio.manifest.json"]),
    ],
)
def test_export_zip_holds_every_file(store: Store, tmp_path: Path, kind: str, names: list[str]) -> None:
    fill(store, tmp_path, [{"caption": "x"}])
    with zipfile.ZipFile(BytesIO(export_zip(read_data(store), LEXICON, Form(kind), now=0))) as archive:
        assert archive.namelist() == names
        manifest = json.loads(archive.read(names[-1]))
        hashes = {file["name"]: file["sha256"] for file in manifest["files"]}
        assert hashes == {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names[:-1]}


def test_export_refuses_a_lexicon_of_other_findings(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path, [{}])
    other = replace(LEXICON, findings=LEXICON.findings[1:])
    with pytest.raises(StoreError, match="choose its lexicon with --lexicon"):
        export(read_data(store), other, Places(tmp_path / "a.csv"), Form(), now=0)


def test_export_boxes_need_the_images(store: Store, tmp_path: Path) -> None:
    fill(store, tmp_path, [{}])
    decide(store, "anna", "0.png", {GGO: "1"}, boxes=(Box(GGO, 0, 0, 2, 2),))
    data = read_data(store)
    assert data.marks.boxes == {"0.png": (Box(GGO, 0, 0, 2, 2),)}
    with pytest.raises(ImageError, match="image folder is needed"):
        export(data, LEXICON, Places(tmp_path / "t.json"), Form("label-studio"), now=0)
    for name, words in (("../labelled.csv", "leads out of the image folder"), ("gone.png", "cannot be read")):
        outside = replace(data, folder=tmp_path, files={"0.png": name})
        with pytest.raises(ImageError, match=words):
            export(outside, LEXICON, Places(tmp_path / "t.json"), Form("label-studio"), now=0)
    with pytest.raises(OutputError, match="is a folder"):
        export(data, LEXICON, Places(tmp_path / "a.csv", manifest=tmp_path), Form(), now=0)
