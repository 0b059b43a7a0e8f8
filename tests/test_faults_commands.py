"""Bad input: the same bad tables, images, paths, lexicons and models for every command that takes them.

One message that says where; nothing quoted, nothing half done.
"""

from __future__ import annotations

import io
import logging
import pickle
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

import train.report
import train.run
from annotate.store import open_store
from nlp.column_names import MOST_COLUMNS
from nlp.command import FAILED
from nlp.lexicon import DEFAULT_FOLDER, FILES, load_lexicon
from nlp.schema import label_columns
from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
from tests.train_radiographs import write_radiographs
from train.sealed import write_sealed
from train.segment_settings import SegmentSettings
from train.segmenter import build_segmenter, save_segmenter

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ("database", "run", "drawn")
CANARY = "xylophone-4711"

HEADER = ",".join(column.name for column in label_columns(load_lexicon().finding_keys))
ROW = f"a.png,p,,,{CANARY} consolidation,1,,1,,,,,auto,train,,x"
BAD_TABLES: dict[str, bytes] = {
    "nothing": b"",
    "blank": b"\n\n\n",
    "gb18030": f"{HEADER}\n{ROW.replace('consolidation', '磨玻璃')}\n".encode("gb18030"),
    "utf-16 without its mark": f"{HEADER}\n{ROW}\n".encode("utf-16-le"),
    "a quote that never ends": f'"{HEADER}\n{ROW}\n'.encode(),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(30),
    "a broken workbook": b"PK\x03\x04" + CANARY.encode(),
    "broken parquet": b"PAR1" + CANARY.encode(),
    "pdf": b"%PDF-1.4 " + CANARY.encode(),
    "a report in the place of the header": f"a.png,p,{CANARY} {'with consolidation of both lungs ' * 3}\n".encode()
    * 2,
    "too many columns": f"{HEADER}{',x' * MOST_COLUMNS}\n{ROW}\n".encode(),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "nlp.extract": ("{table}",),
    "nlp.evaluate": ("{table}", "{table}"),
    "annotate.load": ("{table}", "--images", "{images}", "--db", "{out}/a.db"),
    "annotate.split": ("{table}", "-o", "{out}/split.csv"),
    "annotate.convert": ("chexpert", "{table}", "-o", "{out}/converted.csv"),
    "annotate.import_label_studio": ("{table}", "--db", "{database}"),
    "train.run": ("{table}", "--images", "{images}", "--out", "{out}/run", "--weights", "none"),
    "train.study": ("{table}", "--images", "{images}", "--out", "{out}/study"),
    "train.audit": ("{table}", "--images", "{images}", "--out", "{out}/audit"),
    "train.neighbours": ("{run}", "{table}", "--images", "{images}"),
    "train.segment": ("{drawn}/images", "{drawn}/masks", "--patients", "{table}", "--out", "{out}/lungs"),
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, example_sqlite: Path) -> Path:
    target = tmp_path_factory.mktemp("database") / "labels.db"
    target.write_bytes(example_sqlite.read_bytes())
    open_store(str(target)).close()
    return target


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a tiny network, without its report."""
    folder = tmp_path_factory.mktemp("run")
    table = write_phantoms(folder, phantom_records(24))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.report, "write_report", lambda folder, records: None)
        train.run.run(table, folder / "images", phantom_config(epochs=1), out=folder / "run", bootstraps=50)
    return folder / "run"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Radiographs with their masks, and a segmenter that has learnt nothing."""
    folder = tmp_path_factory.mktemp("drawn")
    write_radiographs(folder, 3)
    tiny = SegmentSettings(encoder="tu-test_resnet", weights="none", width=16, size=64)
    save_segmenter(build_segmenter(tiny), folder)
    return folder


@pytest.mark.parametrize("kind", BAD_TABLES)
@pytest.mark.parametrize("command", COMMANDS)
def test_faults_commands_every_command_says_in_one_message_what_is_wrong(
    command: str,
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    table, out, images = tmp_path / "table.csv", tmp_path / "out", tmp_path / "images"
    table.write_bytes(BAD_TABLES[kind])
    out.mkdir()
    images.mkdir()
    places = {"table": table, "out": out, "images": images}
    arguments = filled(COMMANDS[command], places, request)
    with caplog.at_level(logging.DEBUG):
        assert import_module(command).main(arguments) == FAILED
    shown = capsys.readouterr()
    assert shown.err.count("error: ") == 1 and table.name in shown.err
    assert "Traceback" not in shown.err and len(shown.err) < 5000
    assert CANARY not in shown.out + shown.err + caplog.text
    assert [path.name for path in out.iterdir() if not path.name.startswith("a.db")] == []


def filled(words: Sequence[str], places: Mapping[str, Path], request: pytest.FixtureRequest) -> list[str]:
    """A command's words with their places; what has to be made first is a fixture of that name."""
    made = {
        name: request.getfixturevalue(name)
        for name in FIXTURES
        if any(f"{{{name}}}" in word for word in words)
    }
    return [word.format(**places, **made) for word in words]


# ---- the same bad images, paths, lexicons and models for every command that takes them


OUTSIDE = ("../secret.png", "door.png", "way/secret.png")
"""What a table may call an image: a way out, a link out, and a folder that is a link out."""
OF_A_TABLE = ("annotate.load", "annotate.convert", "train.run", "train.study", "train.audit")


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("command", OF_A_TABLE)
def test_faults_commands_no_command_takes_an_image_from_outside(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out, images = tmp_path / "table.csv", tmp_path / "out", tmp_path / "images"
    for folder in (images, out, tmp_path / "elsewhere"):
        folder.mkdir()
    for secret in (tmp_path / "secret.png", tmp_path / "elsewhere" / "secret.png"):
        Image.new("L", (64, 64), 9).save(secret)
    (images / "door.png").symlink_to(tmp_path / "secret.png")
    (images / "way").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    places = {"table": table, "out": out, "images": images}
    words = COMMANDS[command]
    if command == "annotate.convert":
        table.write_text(f"Path,Consolidation\n{name},1.0\n")
        words = (*words, "--images", "{images}")
    else:
        table.write_text(f"{HEADER}\n{ROW.replace('a.png', name)}\n{ROW.replace('a.png', 'b.png')}\n")
    assert import_module(command).main([word.format(**places) for word in words]) == FAILED
    said = capsys.readouterr().err
    assert said.count("error: ") == 1 and repr(name) in said and "Traceback" not in said


PICTURES = ("{run}", "{images}", "--device", "cpu")
OF_IMAGES: dict[str, tuple[str, ...]] = {
    "train.audit": ("{table}", "--images", "{images}", "--out", "{out}/audit"),
    "train.run": ("{table}", "--images", "{images}", "--out", "{out}/run", "--weights", "none"),
    "train.contact_sheet": ("{images}", "-o", "{out}/sheet.png"),
    "train.explain": (*PICTURES, "--out", "{out}/maps"),
    "train.predict": (*PICTURES, "-o", "{out}/p.csv"),
    "train.segment": ("{images}", "--apply", "{drawn}", "--out", "{out}/found"),
}


def bad_images(folder: Path) -> list[str]:
    """Files that no command may take for pictures, by name."""
    folder.mkdir()
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    Image.new("L", (8, 8)).save(
        folder / "moving.gif", save_all=True, append_images=[Image.new("L", (8, 8), 9)]
    )
    contents = {
        "empty.png": b"",
        "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "cut.png": whole.getvalue()[:900],
        "cut.dcm": bytes(128) + b"DICM" + CANARY.encode(),
        "text.jpg": f"{CANARY} consolidation".encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return ["moving.gif", *contents]


@pytest.mark.parametrize("command", OF_IMAGES)
def test_faults_commands_every_command_names_the_images_it_cannot_read(
    command: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out, table = tmp_path / "images", tmp_path / "out", tmp_path / "table.csv"
    names = bad_images(images)
    out.mkdir()
    rows = [f"{name},p{place},,,,{place % 2},,1,,,,,auto,{split}" for place, (name, split) in enumerate(zip(
        names, ("train", "train", "val", "val", "test", "test"), strict=True))]  # fmt: skip
    table.write_text("\n".join([HEADER, *(f"{row},," for row in rows)]) + "\n")
    places = {"table": table, "out": out, "images": images}
    assert import_module(command).main(filled(OF_IMAGES[command], places, request)) == FAILED
    said = capsys.readouterr().err
    assert [name for name in names if said.count(f"/{name}: ") != 1] == []
    assert "Traceback" not in said and CANARY not in said
    assert not [path for path in out.rglob("*") if path.is_file() and path.suffix not in (".toml", ".images")]


WITH_A_LEXICON: dict[str, tuple[str, ...]] = {
    "nlp.extract": (str(ROOT / "examples" / "captions.csv"), "-o", "{out}/l.csv"),
    "annotate.load": COMMANDS["annotate.load"],
    "annotate.split": COMMANDS["annotate.split"],
    "annotate.convert": COMMANDS["annotate.convert"],
    "annotate.export": ("--db", "{database}", "-o", "{out}/e.csv"),
    "train.audit": COMMANDS["train.audit"],
}


@pytest.mark.parametrize("command", WITH_A_LEXICON)
def test_faults_commands_every_command_names_the_place_of_a_lexicons_mistake(
    command: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    lexicon, out, images = tmp_path / "lexicon", tmp_path / "out", tmp_path / "images"
    for folder in (lexicon, out, images):
        folder.mkdir()
    for name in FILES:
        (lexicon / name).write_bytes((DEFAULT_FOLDER / name).read_bytes())
    with (lexicon / "terms.csv").open("a") as file:
        file.write("no_such_finding,words,\n")
    (tmp_path / "table.csv").write_text(f"{HEADER}\n{ROW}\n")
    places = {"table": tmp_path / "table.csv", "out": out, "images": images}
    arguments = [*filled(WITH_A_LEXICON[command], places, request), "--lexicon", str(lexicon)]
    assert import_module(command).main(arguments) == FAILED
    said = capsys.readouterr().err
    line = (lexicon / "terms.csv").read_text().count("\n")
    assert f"terms.csv:{line}:" in said and "no_such_finding" in said and "Traceback" not in said


class Harmful:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return Path.touch, (Path("unpickled"),)  # type: ignore[return-value]


@pytest.mark.parametrize("file", ["model.safetensors", "neighbours.safetensors"])
@pytest.mark.parametrize("command", ["train.predict", "train.explain", "train.neighbours"])
def test_faults_commands_a_pickle_in_the_place_of_a_network_is_never_run(
    command: str, file: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    other, images = tmp_path / "run", run.parent / "images"
    shutil.copytree(run, other)
    write_sealed(other / file, pickle.dumps(Harmful()))
    monkeypatch.chdir(tmp_path)
    words = {
        "train.predict": [str(images), "-o", "p.csv"],
        "train.explain": [str(images), "--out", "maps"],
        "train.neighbours": [str(run.parent / "labelled.csv"), "--images", str(images)],
    }[command]
    code = import_module(command).main([str(other), *words, "--device", "cpu"])
    said = capsys.readouterr().err
    replaced = command == "train.neighbours" and file != "model.safetensors"  # that is what it makes anew
    assert (code == 0) if replaced else (code == FAILED and file in said)
    assert "Traceback" not in said and not (tmp_path / "unpickled").exists()
