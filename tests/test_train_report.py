"""A run's folder becomes figures, one page and a model card that say what the files say."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nlp.errors import ContractError, InputError
from tests.made_records import NAN, make_records, random_logits, random_records
from train.figure_style import png
from train.figures_data import class_table, composition, finding_table
from train.model_card import plain
from train.operating_point import Thresholds, choose_thresholds
from train.predictions import joined, predict_records, write_predictions
from train.records import Records
from train.report import page, write_report
from train.report_tables import headline_table, shortcut_sentence
from train.run_files import read_run
from train.scores import score

STRANGE = '<script>alert("x")</script> & | `'


class Reader(HTMLParser):
    """Tags, attributes and text of a page; void tags need no end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def make_run(folder: Path, records: Records, *, folds: bool = False) -> Path:
    """The files of a finished run with made-up logits."""
    folder.mkdir()
    logits = random_logits(records)
    val, test = records.rows("val"), records.rows("test")
    thresholds = choose_thresholds(records.take(val), logits[val])
    metrics = {
        name: score(records.take(rows), logits[rows], threshold=thresholds, seed=0, bootstraps=50).as_json()
        for name, rows in (("val", val), ("test", test))
    }
    metrics["thresholds"] = thresholds.as_json()
    metrics["training"] = {"best_epoch": 2, "averaged": False, "versions": {"torch": "2"}}
    file_alone = {"meaning": "all", "model": "none", "test": {**metrics["test"]["covid19"], "auc": 0.999}}
    metrics["shortcut"] = {"all": file_alone}
    warnings = ["no lungs found" if place < 3 else "" for place in range(len(records))]
    made = predict_records(records, logits, thresholds, warnings=warnings)
    write_predictions(folder / "predictions.csv", made)
    if folds:
        halves = [np.arange(0, len(records), 2), np.arange(1, len(records), 2)]
        parts = [
            predict_records(records.take(rows), logits[rows], thresholds, fold=number)
            for number, rows in enumerate(halves)
        ]
        write_predictions(folder / "out_of_fold.csv", joined(parts))
        metrics["out_of_fold"] = score(records, logits, threshold=thresholds, seed=0, bootstraps=50).as_json()
        metrics["out_of_fold"]["thresholds"] = [thresholds.as_json()] * 2
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "config.toml").write_text(
        f"backbone = {json.dumps(STRANGE)}\nseed = 0\n[augmentation]\nflip = 0.5\n"
    )
    (folder / "history.csv").write_text(
        "epoch,seconds,train_loss,val_loss,val_auc,averaged_val_auc\n1,1,0.7,0.7,0.6,\n2,1,0.5,0.6,,\n"
    )
    return folder


@pytest.fixture(scope="module")
def records() -> Records:
    made = random_records(160)
    named = [STRANGE if name == "normal" else name for name in made.diagnoses]
    return replace(made, diagnoses=tuple(named))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, records: Records) -> Path:
    made = make_run(tmp_path_factory.mktemp("runs") / "first", records, folds=True)
    write_report(made, records)
    return made


def test_report_writes_every_figure_and_nothing_blank(folder: Path) -> None:
    names = {path.stem for path in (folder / "figures").iterdir()}
    curves = {"loss", "roc", "confusion", "groups", "scores", "calibration"}
    assert names == curves | {"findings", "pairs", "composition", "counts", "concordance"}
    for path in (folder / "figures").iterdir():
        with Image.open(BytesIO(path.read_bytes())) as image:
            assert image.width == 1080 and len(np.unique(np.asarray(image.convert("L")))) > 10
    assert not list(folder.glob("**/.*.tmp"))


def test_report_is_one_page_that_loads_nothing(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    found = Reader(text)
    assert not found.open
    assert "script" not in found.tags and "link" not in found.tags
    sources = [value for name, value in found.attributes if name in ("src", "href")]
    assert len(sources) == 11
    assert all(source and source.startswith("data:image/png;base64,") for source in sources)
    assert "http:" not in text and "https:" not in text
    assert "default-src 'none'" in text


def test_report_escapes_what_it_shows(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    assert STRANGE not in text and "&lt;script&gt;" in text
    assert "\\<script\\>" in (folder / "model_card.md").read_text()


def test_report_says_the_figures_with_interval_and_n(folder: Path) -> None:
    found = json.loads((folder / "metrics.json").read_text())["out_of_fold"]["covid19"]
    words = "\n".join(Reader((folder / "report.html").read_text()).words)
    assert f"{found['auc']:.3f} ({found['auc_low']:.3f} to {found['auc_high']:.3f})" in words
    assert f"{found['n_positive']} ({found['n_patients_positive']})" in words
    row = found["cutoffs"][4]
    assert (
        f"{row['specificity']:.3f} ({row['specificity_low']:.3f} to {row['specificity_high']:.3f})" in words
    )
    order = [
        "What was asked",
        "How good it is",
        "What the file alone says",
        "Curves",
        "Sensitivity and specificity at each cut-off",
        "Findings",
        "Data",
        "Settings",
    ]
    places = [words.index(heading) for heading in [*order, "Limits"]]
    assert places == sorted(places)
    for text in (words, (folder / "model_card.md").read_text()):
        assert "For research, not for diagnosis." in text
        assert "augmentation.flip" in text
        assert "3 of 160 images: no lungs found." in text


def test_report_puts_the_file_alone_beside_the_network(folder: Path, records: Records) -> None:
    run = replace(read_run(folder, records), sets={"test": read_run(folder, records).sets["test"]})
    assert "file alone, test" in headline_table(run).header
    assert "is no evidence that it reads lungs" in shortcut_sentence(run)
    scores = {"covid19": {"auc": 0.6, "auc_low": 0.4}}
    shortcut = {"all": {"test": {"auc": 0.3}}}
    run = replace(run, metrics={"test": scores, "shortcut": shortcut})
    assert "not clearly better than chance" in shortcut_sentence(run)


def test_report_without_folds_speaks_of_test(tmp_path: Path, records: Records) -> None:
    run = read_run(make_run(tmp_path / "run", records), records)
    assert run.headline == "test"
    assert headline_table(run).header == ("", "test", "val", "file alone, test")


def test_report_of_a_baseline_shows_no_untrained_findings(tmp_path: Path, records: Records) -> None:
    folder = make_run(tmp_path / "run", records)
    (folder / "config.toml").write_text('mode = "baseline"\n')
    blank = predict_records(
        records, np.where(np.arange(6) == 0, random_logits(records), np.nan), Thresholds()
    )
    write_predictions(folder / "predictions.csv", blank)
    metrics = json.loads((folder / "metrics.json").read_text())
    for split in ("val", "test"):
        for name in ("findings", "flag_by_finding"):
            metrics[split][name] = {key: {"auc": None, "n": 0} for key in records.finding_keys}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert len(read_run(folder, records).sets["test"].records) == len(records.rows("test"))
    write_report(folder, records)
    assert not {"findings", "pairs"} & {path.stem for path in (folder / "figures").iterdir()}
    assert "outputs are untrained" in "".join(Reader((folder / "report.html").read_text()).words)


def test_report_of_one_class_and_no_findings_still_comes(tmp_path: Path) -> None:
    few = make_records([1, 0, 1, 0, 1, 1], splits=["train", "train", "val", "val", "test", "test"])
    folder = make_run(tmp_path / "run", few)
    write_report(folder, few)
    page_text = (folder / "report.html").read_text()
    assert "–" in page_text
    assert not (folder / "figures" / "confusion.png").exists()


def test_report_shows_unclear_records_in_the_data(tmp_path: Path) -> None:
    some = make_records([1, 0, NAN, 1], splits=["train", "train", "test", ""], patients=["a", "b", "c", "a"])
    table = class_table(some)
    assert {name: row["all"].images for name, row in table.items()} == {
        "COVID-19": 2,
        "control": 1,
        "unclear": 1,
        "together": 4,
    }
    assert table["COVID-19"]["all"].patients == 1
    assert list(table["control"]) == ["train", "test", "all"]
    assert finding_table(some)["Consolidation"] == {"train": 0, "test": 0, "all": 0}


def test_report_refuses_predictions_of_other_records(tmp_path: Path, records: Records) -> None:
    folder = make_run(tmp_path / "run", records)
    with pytest.raises(ContractError, match="images that the labels do not"):
        write_report(folder, records.take(np.arange(5)))
    (folder / "history.csv").unlink()
    with pytest.raises(InputError, match=r"history\.csv cannot be read, so there is no report"):
        write_report(folder, records)


def test_figures_of_the_same_data_are_the_same_bytes(records: Records) -> None:
    assert png(composition(records)) == png(composition(records))


def test_model_card_shows_text_as_it_is() -> None:
    assert plain("a|b\n<i>") == "a\\|b \\<i\\>"


def test_page_of_a_run_without_pictures_is_whole(folder: Path, records: Records) -> None:
    assert not Reader(page(read_run(folder, records), ())).open
