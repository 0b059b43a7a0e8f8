"""``annotate.load``: again and again without duplicates, all or nothing, and no work of a person is lost."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from annotate.load import load, main
from annotate.load_report import sentences
from annotate.load_write import counts
from annotate.settled import settled_labels
from annotate.store import Store, open_store
from annotate.store_tables import EVENT, MENTION, META, PREDICTION, RECORD, SPLIT, WORK
from annotate.tables import read_labels, read_table, write_labels
from nlp.command import DONE, FAILED
from nlp.errors import ContractError, ImageError, StoreError
from nlp.schema import COVID
from tests.made_decisions import decision, keep, people, rows
from tests.made_loads import ALL, CSLD, FINDINGS, GGO, IMAGES, again, id_of, nothing, saved, with_cells

MARKER = "zebrafish"


@pytest.fixture
def table(example_tables: tuple[Path, Path]) -> pd.DataFrame:
    return read_labels(example_tables[0], FINDINGS)


@pytest.fixture
def mentions(example_tables: tuple[Path, Path]) -> Path:
    return example_tables[1]


def test_load_takes_records_mentions_and_images(
    example_store: Store, table: pd.DataFrame, mentions: Path
) -> None:
    stored = {row.image: row for row in rows(example_store, RECORD)}
    assert len(stored) == len(table) == ALL
    for row in table.to_dict("records"):
        record = stored[row["image"]]
        assert record.labels == {key: row[key] for key in (COVID, *FINDINGS)}
        assert (record.caption, record.patient_id, record.flags) == (
            row["caption"],
            row["patient_id"],
            row["flags"],
        )
        assert (IMAGES / record.file).is_file()
    assert len(rows(example_store, MENTION)) == len(read_table(mentions))
    assert len(rows(example_store, WORK)) == ALL
    assert example_store.image_folder() == IMAGES.resolve()


def test_load_again_changes_nothing(example_store: Store, example_tables: tuple[Path, Path]) -> None:
    before = {t: rows(example_store, t) for t in (RECORD, MENTION, WORK)}
    loaded = load(example_store, example_tables[0], images=IMAGES, mentions=example_tables[1])
    assert nothing(loaded) and loaded.records.unchanged == ALL
    assert {t: rows(example_store, t) for t in before} == before
    assert len(rows(example_store, EVENT, EVENT.c.kind == "load")) == 2


def test_load_in_another_order_of_rows_and_mentions_changes_nothing(
    example_store: Store, table: pd.DataFrame, mentions: Path, tmp_path: Path
) -> None:
    shuffled = tmp_path / "mentions.csv"
    read_table(mentions).sample(frac=1, random_state=0).to_csv(shuffled, index=False)
    loaded = again(example_store, table.iloc[::-1], tmp_path, mentions=shuffled)
    assert nothing(loaded)


def test_load_says_what_changed_and_keeps_what_people_decided(
    example_store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    people(example_store, "anna")
    first, second, third = table["image"][:3]
    keep(example_store, "anna", decision(example_store, id_of(example_store, first), labels={GGO: "1"}))
    other = with_cells(table, first, **{GGO: "0", CSLD: "-1"})
    other = with_cells(with_cells(other, second, **{CSLD: "-1"}), third, diagnosis="other")
    other = other[other["image"] != table["image"].iloc[-1]]
    loaded = again(example_store, other, tmp_path)
    told = counts(loaded)
    assert (told["relabelled"], told["changed"], told["unchanged"]) == (2, 1, ALL - 4)
    assert loaded.records.decided == [first] and loaded.gone == (table["image"].iloc[-1],)
    said = "\n".join(sentences(loaded))
    assert first in said and table["image"].iloc[-1] in said
    with example_store.read() as connection:
        settled = settled_labels(connection, FINDINGS).table.set_index("image")
    assert settled.loc[first, GGO] == "1" and settled.loc[second, CSLD] == "-1" and len(settled) == ALL
    events = rows(example_store, EVENT, EVENT.c.kind == "record.change")
    assert len(events) == 3 and events[0].new["labels"][CSLD] == "-1"


def test_load_of_another_caption_drops_mentions_that_fit_no_more_and_logs_no_text(
    example_store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    image = table["image"].iloc[0]
    loaded = again(example_store, with_cells(table, image, caption=f"a {MARKER}"), tmp_path)
    assert loaded.mentions.dropped == 1
    assert rows(example_store, MENTION, MENTION.c.record_id == id_of(example_store, image)) == []
    assert MARKER not in str(rows(example_store, EVENT)) and MARKER not in "\n".join(sentences(loaded))


def test_load_brings_mentions_of_a_caption_back_when_both_come(
    example_store: Store, table: pd.DataFrame, mentions: Path, tmp_path: Path
) -> None:
    before = len(rows(example_store, MENTION))
    again(example_store, with_cells(table, table["image"].iloc[0], caption="other"), tmp_path)
    assert len(rows(example_store, MENTION)) < before
    loaded = again(example_store, table, tmp_path, mentions=mentions)
    assert len(rows(example_store, MENTION)) == before and loaded.mentions.count > 0
    assert nothing(again(example_store, table, tmp_path, mentions=mentions))


def test_load_finds_a_renamed_image_by_its_file(
    example_store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    image = table["image"].iloc[0]
    short = image.rsplit(".", 1)[0]
    loaded = again(example_store, with_cells(table, image, image=short), tmp_path)
    assert loaded.records.renamed == [(image, short)] and len(rows(example_store, RECORD)) == ALL


def test_load_makes_records_of_images_without_a_row(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    shutil.copytree(IMAGES, folder)
    kept = next(IMAGES.glob("*.png"))
    for name in ("new/p6-52%0.png", "new/p6-52%1.png", ".hidden.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(kept, folder / name)
    (folder / "out.png").symlink_to(kept)
    half = table.iloc[:40]
    loaded = again(store, half, tmp_path, images=folder)
    made = rows(store, RECORD, ~RECORD.c.from_table)
    assert len(made) == ALL - 40 + 2 == len(loaded.from_folder.new)
    new = [row for row in made if row.image.startswith("new/")]
    assert {row.patient_id for row in new} == {"figure:new/p6-52"}
    assert {(row.flags, row.caption, row.review) for row in new} == {("no_text;patient_made_up", "", "auto")}
    assert nothing(again(store, half, tmp_path, images=folder))
    whole = again(store, table, tmp_path, images=folder)
    assert len(whole.records.new) == 0 and len(rows(store, RECORD)) == ALL + 2


def test_load_lists_all_missing_images_at_once_and_writes_nothing(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    wrong = with_cells(table, table["image"].iloc[3], image="lost-1.png")
    wrong = with_cells(wrong, table["image"].iloc[5], image="lost-2.png")
    with pytest.raises(ImageError, match=r"(?s)lost-1\.png.*lost-2\.png"):
        again(store, wrong, tmp_path)
    assert rows(store, RECORD) == []


def test_load_takes_splits_and_refuses_a_torn_patient(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    patient = table["patient_id"].value_counts().index[0]
    several = table.index[table["patient_id"] == patient]
    torn = table.copy()
    torn.loc[several[0], "split"], torn.loc[several[1], "split"] = "train", "test"
    with pytest.raises(ContractError, match=patient):
        again(store, torn, tmp_path)
    assert rows(store, RECORD) == [] and rows(store, META, META.c.key == "image_folder") == []
    good = table.copy()
    good.loc[several[:1], "split"] = "val"
    assert again(store, good, tmp_path).splits == 1
    assert [(row.patient_id, row.split) for row in rows(store, SPLIT)] == [(patient, "val")]
    assert nothing(again(store, good, tmp_path))
    good.loc[several[:1], "split"] = "test"
    with pytest.raises(ContractError, match="Nobody is moved"):
        again(store, good, tmp_path)


# ---- what is refused


def test_load_refuses_mentions_that_do_not_fit_and_quotes_no_text(
    store: Store, example_tables: tuple[Path, Path], tmp_path: Path
) -> None:
    wrong = read_table(example_tables[1])
    wrong.iloc[0, wrong.columns.get_loc("text")] = MARKER
    wrong.iloc[1, wrong.columns.get_loc("end")] = "99999"
    wrong.iloc[2, wrong.columns.get_loc("assertion")] = "perhaps"
    wrong.to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(ContractError, match=r"(?s)3 rows.*row 2: .*row 3: .*row 4: ") as caught:
        load(store, example_tables[0], mentions=tmp_path / "wrong.csv")
    assert MARKER not in str(caught.value) and rows(store, RECORD) == []


def test_load_leaves_mentions_of_other_images_out_and_says_so(
    store: Store, table: pd.DataFrame, mentions: Path, tmp_path: Path
) -> None:
    loaded = again(store, table.iloc[:10], tmp_path, mentions=mentions)
    assert loaded.mentions.strangers > 0 and any("left out" in line for line in sentences(loaded))
    other = table.assign(image=[f"x{number}" for number in range(ALL)])
    with pytest.raises(ContractError, match="does not belong"):
        load(store, saved(other, tmp_path), mentions=mentions)


def test_load_refuses_nul_characters_with_their_rows(
    store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    wrong = with_cells(table, table["image"].iloc[1], caption=f"{MARKER}\0")
    target = tmp_path / "wrong.parquet"
    write_labels(wrong, target, FINDINGS)
    with pytest.raises(ContractError, match=r"NUL characters.* 2$") as caught:
        load(store, target)
    assert MARKER not in str(caught.value)


def test_load_takes_out_of_fold_predictions_only(
    example_store: Store, table: pd.DataFrame, tmp_path: Path
) -> None:
    columns = {f"{key}_probability": "0.25" for key in (COVID, *FINDINGS)}
    predicted = pd.DataFrame({"image": table["image"][:3], "split": "", "fold": "1", **columns})
    target = tmp_path / "predictions.csv"
    predicted.to_csv(target, index=False)
    for _ in range(2):
        assert again(example_store, table, tmp_path, predictions=target).predictions == 3
    assert len(rows(example_store, PREDICTION)) == 3
    flag_alone = predicted.assign(**{f"{GGO}_probability": ""})
    flag_alone.to_csv(target, index=False)
    assert again(example_store, table, tmp_path, predictions=target).predictions == 3
    assert all(GGO not in row.probabilities for row in rows(example_store, PREDICTION))
    wrong = predicted.assign(
        fold=["", "1", "2"], split="train", **{f"{GGO}_probability": ["0.1", "1.5", "x"]}
    )
    wrong.to_csv(target, index=False)
    with pytest.raises(ContractError, match=r"(?s)trained on this image.*from 0 to 1.*from 0 to 1"):
        again(example_store, table, tmp_path, predictions=target)


# ---- the command


def test_load_command_says_what_it_did(
    example_tables: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, mentions = map(str, example_tables)
    database = tmp_path / "labels.db"
    command = [
        labels,
        "--mentions",
        mentions,
        "--images",
        str(IMAGES),
        "--db",
        str(database),
        "--overlap",
        "2",
    ]
    assert main(command) == DONE == main(command)
    said = capsys.readouterr()
    assert "85 new" in said.out and "85 unchanged" in said.out and "writing 85 records" in said.err
    with closing(open_store(str(database))) as store:
        assert {row.overlap for row in rows(store, WORK)} == {2}
    assert main([labels, "--images", str(tmp_path / "none"), "--db", str(database)]) == FAILED
    assert "no image folder" in capsys.readouterr().err


def test_load_refuses_another_lexicons_findings(tmp_path: Path, example_tables: tuple[Path, Path]) -> None:
    database = str(tmp_path / "labels.db")
    open_store(database, findings=["fibrosis"]).close()
    with closing(open_store(database)) as store, pytest.raises((ContractError, StoreError), match="fibrosis"):
        load(store, example_tables[0])
