"""``python -m nlp.extract``: the whole command, its bad days included."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp.command import DONE, FAILED, INTERRUPTED, USAGE
from nlp.errors import InputError, OutputError
from nlp.extract import COLUMN_HELP, extract, main
from nlp.lexicon import load_lexicon
from nlp.parallel import IN_FLIGHT, Job, label_parts
from nlp.parts import read_part
from nlp.progress import Progress
from nlp.roles import ROLES
from nlp.schema import COVID, MENTION_COLUMNS, label_columns, row_problems

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
CANARY = "xylophone-4711"
LEXICON = load_lexicon()
CAPTIONS = (
    "Consolidation in the left lower lobe.",
    "No consolidation.",
    "The consolidation has completely resolved.",
    "Possible consolidation.",
    "The heart is of normal size.",
    "",
)
STATES = ("present", "negated", "resolved", "uncertain", "not_mentioned", "not_mentioned")
CELLS = ("1", "0", "0", "-1", "", "")


def write_captions(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([header or ("image", "patient_id", "caption"), *rows])
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, strict=True))


def hashes(folder: Path, stem: str) -> list[str]:
    names = (f"{stem}.labels.csv", f"{stem}.mentions.csv", f"{stem}.labels.rejected.csv")
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    rows = [(f"{number}.png", f"P{number}", text) for number, text in enumerate(CAPTIONS)]
    return write_captions(tmp_path / "captions.csv", rows)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """4,000 different captions with faulty rows in between."""
    dice = random.Random(0)
    rows: list[tuple[str, ...]] = [
        (f"{number}.png", "", f"Patient {number}. {dice.choice(CAPTIONS)} {dice.choice(CAPTIONS)}")
        for number in range(4000)
    ]
    rows[100:100] = [("100.png", "P1", "again"), ("short",), ("", "P1", "no image")]
    return write_captions(tmp_path / "many.csv", rows)


# The results


def test_extract_writes_the_contract(captions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(captions)]) == DONE
    labels = rows_of(captions.with_name("captions.labels.csv"))
    columns = label_columns(LEXICON.finding_keys)
    assert list(labels[0]) == [column.name for column in columns]
    assert [problem for row in labels for problem in row_problems(row, columns)] == []
    assert [row["caption"] for row in labels] == list(CAPTIONS)
    assert [row["consolidation"] for row in labels] == list(CELLS)
    assert [row["flags"] for row in labels] == ["", "", "", "", "", "no_text"]
    assert {row["lexicon_version"] for row in labels} == {LEXICON.version}
    assert rows_of(captions.with_name("captions.labels.rejected.csv")) == []


def test_extract_writes_mentions_that_are_slices_of_the_caption(captions: Path) -> None:
    assert main([str(captions)]) == DONE
    texts = {f"{number}.png": text for number, text in enumerate(CAPTIONS)}
    mentions = rows_of(captions.with_name("captions.mentions.csv"))
    assert [row["assertion"] for row in mentions] == list(STATES[:4])
    assert list(mentions[0]) == [column.name for column in MENTION_COLUMNS]
    for row in mentions:
        assert row_problems(row, MENTION_COLUMNS) == []
        caption = texts[row["image"]]
        assert row["text"] == caption[int(row["start"]) : int(row["end"])]
        assert not row["cue"] or row["cue"] == caption[int(row["cue_start"]) : int(row["cue_end"])]


def test_extract_prints_columns_then_states_and_counts(
    captions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with captions.open("a", encoding="utf-8") as handle:
        handle.write("0.png,P0,again\r\n")
    main([str(captions)])
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    for role in COLUMN_HELP:
        assert any(line.split()[0] == role and f"--{role}-column" in line for line in lines[1:8])
    heading = next(line for line in lines if "not mentioned" in line)
    assert heading.split() == ["present", "uncertain", "resolved", "negated", "not", "mentioned"]
    [counts] = [line.split() for line in lines if line.startswith("Consolidation ")]
    assert counts == ["Consolidation", "1", "1", "1", "1", "2"]
    assert "7 rows read = 6 records + 1 rejected" in lines
    assert "flag no_text, the caption is blank: 1" in lines
    assert any(line.startswith("written: ") and "captions.labels.rejected.csv" in line for line in lines)
    assert printed.err.startswith("7 rows in ")
    assert printed.err.count("\n") == 1


def test_extract_counts_the_states_that_the_labels_and_mentions_hold(many: Path) -> None:
    summary = extract(many, batch_rows=300)
    labels = rows_of(many.with_name("many.labels.csv"))
    assert summary.records == len(labels) == 4000
    assert summary.mentions == len(rows_of(many.with_name("many.mentions.csv")))
    for finding in LEXICON.finding_keys:
        counts = summary.states[finding]
        cells = [row[finding] for row in labels]
        assert sum(counts.values()) == 4000
        assert counts["present"] == cells.count("1")
        assert counts["resolved"] + counts["negated"] == cells.count("0")
    assert summary.states["consolidation"]["resolved"] > 0
    assert summary.rows == summary.records + summary.rejected == 4003


def test_extract_lists_rejected_rows_with_number_column_and_reason(many: Path) -> None:
    extract(many, output=many.with_name("labels.csv"))
    rejected = rows_of(many.with_name("labels.rejected.csv"))
    assert [(row["row"], row["column"], row["image"]) for row in rejected] == [
        ("103", "#2 patient_id", ""),
        ("104", "#1 image", ""),
        ("105", "#1 image", "100.png"),
    ]
    assert rejected[2]["reason"] == "the same image as an earlier row, with other content"


def test_extract_keeps_the_covid_column_beside_the_text(tmp_path: Path) -> None:
    header = ("image", "caption", "C0VID19")
    rows = [("a.png", "Consolidation.", "CVD19"), ("b.png", "COVID-19 pneumonia, PCR positive.", "control")]
    source = write_captions(tmp_path / "a.csv", rows, header)
    assert main([str(source), "--covid-column", "C0VID19"]) == DONE
    labels = rows_of(tmp_path / "a.labels.csv")
    assert [row[COVID] for row in labels] == ["1", "0"]
    assert [row["flags"] for row in labels] == ["patient_made_up", "patient_made_up;covid_conflict"]


@pytest.mark.parametrize("kind", [".jsonl", ".parquet", ".tsv"])
def test_extract_gives_the_same_labels_from_every_format(captions: Path, kind: str) -> None:
    extract(captions, output=captions.with_name("expected.csv"))
    table = {name: [row[name] for row in rows_of(captions)] for name in ("image", "patient_id", "caption")}
    other = captions.with_suffix(kind)
    if kind == ".parquet":
        pq.write_table(pa.table(table), other)
    elif kind == ".jsonl":
        lines = [json.dumps(row) for row in rows_of(captions)]
        other.write_text("\n".join(lines), encoding="utf-8")
    else:
        other.write_text(captions.read_text(encoding="utf-8").replace(",", "\t"), encoding="utf-8")
    extract(other, output=captions.with_name("found.csv"))
    assert captions.with_name("found.csv").read_bytes() == captions.with_name("expected.csv").read_bytes()


def test_extract_writes_parquet_with_the_same_content(captions: Path) -> None:
    extract(captions)
    extract(captions, output=captions.with_name("labels.parquet"))
    for name, csv_name in (("labels", "captions.labels"), ("mentions", "captions.mentions")):
        table = pq.read_table(captions.with_name(f"{name}.parquet")).to_pylist()
        assert len(table) == len(rows_of(captions.with_name(f"{csv_name}.csv")))
        for found, expected in zip(table, rows_of(captions.with_name(f"{csv_name}.csv")), strict=True):
            text = {key: "" if value is None else str(value) for key, value in found.items()}
            assert text | {"score": ""} == expected | {"score": ""}


def test_extract_of_a_header_alone_writes_headers(tmp_path: Path) -> None:
    summary = extract(write_captions(tmp_path / "captions.csv", []))
    assert summary.rows == 0
    assert rows_of(tmp_path / "captions.labels.csv") == []
    for name in ("labels", "mentions", "labels.rejected"):
        assert (tmp_path / f"captions.{name}.csv").read_text(encoding="utf-8").count("\n") == 1


def test_extract_takes_the_published_table_with_only_an_encoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = DATA / "covid-ct" / "COVID-CT-MetaInfo_new.csv"
    if not source.exists():
        pytest.skip(f"{source} is not here")
    output = tmp_path / "labels.csv"
    assert main([str(source), "-o", str(output)]) == FAILED
    assert "  gb18030   ,,C0VID19" in capsys.readouterr().err
    assert main([str(source), "-o", str(output), "--encoding", "gb18030"]) == DONE
    printed = capsys.readouterr().out
    assert "349 rows read = 349 records + 0 rejected" in printed
    assert "flag no_text, the caption is blank: 13" in printed
    assert len(rows_of(output)) == 349


# Explain


def test_extract_explains_one_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain", "No consolidation."]) == DONE
    assert "consolidation: negated" in capsys.readouterr().out


def test_extract_writes_a_page_with_every_caption(captions: Path) -> None:
    page = captions.with_name("page.html")
    assert main([str(captions), "--html", str(page)]) == DONE
    text = page.read_text(encoding="utf-8")
    assert all(f"{number}.png" in text for number in range(len(CAPTIONS)))


# Workers, kill and resume


def test_extract_gives_the_same_bytes_with_two_workers(many: Path) -> None:
    extract(many, batch_rows=250)
    one = hashes(many.parent, "many")
    extract(many, batch_rows=300, workers=2)
    assert hashes(many.parent, "many") == one
    assert not list(many.parent.glob("*.parts"))


def test_extract_holds_few_batches_however_many_there_are(tmp_path: Path) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(100):
            taken.append(number)
            records = pa.record_batch({"image": [str(number)]})
            yield Job(records, tmp_path / f"{number}", rows=number, done=0.5, finished=True)

    stream = label_parts(jobs(), lexicon=LEXICON, folder=None, workers=3)
    for number in range(5):
        assert next(stream).rows == number
        assert len(taken) <= number + 3 * IN_FLIGHT


def start(source: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nlp.extract", str(source), "--batch-rows", "40", *options]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )


def hear_ctrl_c() -> None:
    """Tests that run in the background of a shell inherit deaf ears for Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_parts(process: subprocess.Popen[str], source: Path, count: int = 1) -> Path:
    """Return the folder of parts once it holds so many, while the run is still going on."""
    folder = source.with_name(f"{source.stem}.labels.csv.parts")
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.arrow"))) < count:
        if process.poll() is not None:
            pytest.fail(f"the run ended too early: {process.communicate()[1]}")
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return folder


def kill(process: subprocess.Popen[str]) -> None:
    """Kill -9: nothing is flushed, nothing cleaned up."""
    process.kill()
    process.communicate()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_extract_resumes_after_kill_to_the_same_bytes(many: Path, workers: str) -> None:
    extract(many, batch_rows=40)
    expected = hashes(many.parent, "many")
    for path in many.parent.glob("many.*.csv"):
        path.write_text("old")
    for parts in (3, 20):
        options = ["--workers", workers, *(["--resume"] if parts > 3 else [])]
        process = start(many, *options)
        folder = wait_for_parts(process, many, parts)
        kill(process)
        assert many.with_name("many.labels.csv").read_text() == "old"
    kept = {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*.arrow"))[:10]}
    reused: dict[str, int] = {}

    def note(rows: int, done: float) -> None:
        reused.update({path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*.arrow"))[:10]})

    extract(many, batch_rows=40, resume=True, progress=note)
    assert hashes(many.parent, "many") == expected
    assert reused == kept
    assert not folder.exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_extract_stops_at_ctrl_c_and_can_go_on(many: Path, workers: str) -> None:
    process = start(many, "--workers", workers)
    wait_for_parts(process, many)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert (process.returncode, message) == (INTERRUPTED, "interrupted\n")
    assert not many.with_name("many.labels.csv").exists()
    assert extract(many, batch_rows=40, resume=True).records == 4000


def test_extract_leaves_no_workers_behind_when_it_is_killed(many: Path) -> None:
    process = start(many, "--workers", "2")
    wait_for_parts(process, many)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    kill(process)
    if not Path("/proc/self/task").exists():
        pytest.skip("only Linux lists the children of a process")
    deadline = time.monotonic() + 60
    assert len(workers) >= 2
    while any(is_running(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_extract_makes_a_damaged_part_again(many: Path) -> None:
    extract(many, batch_rows=40)
    expected = hashes(many.parent, "many")
    process = start(many)
    folder = wait_for_parts(process, many, 5)
    kill(process)
    part = sorted(folder.glob("*.arrow"))[1]
    part.write_bytes(part.read_bytes()[:-100])
    extract(many, batch_rows=40, resume=True)
    assert hashes(many.parent, "many") == expected


def test_extract_refuses_to_resume_what_was_started_otherwise(many: Path) -> None:
    process = start(many)
    wait_for_parts(process, many, 2)
    kill(process)
    with pytest.raises(InputError, match="batch_rows was 40, now 50"):
        extract(many, batch_rows=50, resume=True)
    with many.open("a", encoding="utf-8") as handle:
        handle.write("new.png,P1,a new row\r\n")
    with pytest.raises(InputError, match="input_sha256 was") as error:
        extract(many, batch_rows=40, resume=True)
    assert "batch_rows" not in str(error.value)
    assert extract(many, batch_rows=40).records == 4001


def test_extract_parts_hold_what_the_results_hold(
    captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    def note(rows: int, done: float) -> None:
        for path in sorted(tmp_path.glob("captions.labels.csv.parts/*.arrow"))[len(found) // 2 :]:
            found.extend(read_part(path)[0].column("image").to_pylist())

    extract(captions, batch_rows=2, progress=note)
    assert found == [row["image"] for row in rows_of(tmp_path / "captions.labels.csv")]


# Failure


def test_extract_leaves_old_results_alone_when_the_disk_is_full(many: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    old = many.with_name("many.labels.csv")
    old.write_text("old")
    code = (
        "import resource, sys; from nlp.extract import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); sys.exit(main(sys.argv[1:]))"
    )
    for options in (["--batch-rows", "40"], ["--batch-rows", "4000"]):
        done = subprocess.run(
            [sys.executable, "-c", code, str(many), *options], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == FAILED
        assert "was not written, older files are intact: File too large" in done.stderr
        assert "Traceback" not in done.stderr
        assert old.read_text() == "old"
        assert not list(many.parent.glob(".*.tmp"))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 200_000
    assert extract(many, batch_rows=4000, resume=True).records == 4000


def test_extract_fails_in_a_read_only_folder(
    captions: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(captions)
    before = hashes(captions.parent, "captions")

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)  # root, as in many containers, may write anywhere
    assert main([str(captions)]) == FAILED
    assert "older files are intact: Permission denied" in capsys.readouterr().err
    assert hashes(captions.parent, "captions") == before


def test_extract_refuses_targets_before_it_reads_a_row(captions: Path) -> None:
    for output, message in ((captions, "is the input"), (captions.parent / "none" / "a.csv", "no folder")):
        with pytest.raises(OutputError, match=message):
            extract(captions, output=output)
    with pytest.raises(OutputError, match="no folder"):
        extract(captions, html=captions.parent / "none" / "page.html")
    assert [path.name for path in captions.parent.iterdir()] == ["captions.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.csv", "--explain", "text"],
        ["a.csv", "--workers", "0"],
        ["a.csv", "--workers", "x"],
        ["--nonsense"],
    ],
)
def test_extract_answers_wrong_usage_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == USAGE


def test_extract_never_repeats_a_text(tmp_path: Path) -> None:
    """A marker in every text shows up in no message, log or rejected row, a traceback included."""
    text = f"{CANARY}, consolidation"
    rows = [
        f'a.png,P1,"{text}",1',
        f'a.png,P1,"{text} again",1',  # the same image with other text
        f"b.png,P1,{text},1",  # a comma that is not quoted
        f'c.png,P1,"{text} never closed,1',
        f',P1,"{text}",1',
        f'd.png,P1,"{text}","{text}"',  # text in the COVID column
        f'e.png,P1,"{text} \ufffd",0',
    ]
    source = tmp_path / "captions.csv"
    source.write_text("\n".join(["image,patient_id,caption,status", *rows]) + "\n", encoding="utf-8")
    bad = tmp_path / "bad.csv"
    bad.write_bytes(f"image,caption\na.png,{CANARY} ".encode() + b"\xb1 5\n")
    runs = [
        ([str(source), "--covid-column", "status"], DONE),
        ([str(source), "--covid-column", "status", "--workers", "2", "--debug"], DONE),
        ([str(bad), "--debug"], FAILED),
        ([str(bad), "--debug", "--encoding", "ascii"], FAILED),
        ([str(source), "--debug", "--text-column", "nothing"], FAILED),
    ]
    for arguments, code in runs:
        done = subprocess.run(
            [sys.executable, "-m", "nlp.extract", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        assert CANARY not in done.stdout
        assert CANARY not in done.stderr
    rejected = tmp_path / "captions.labels.rejected.csv"
    assert len(rows_of(rejected)) == 5
    assert CANARY not in rejected.read_text(encoding="utf-8")
    assert [row["image"] for row in rows_of(tmp_path / "captions.labels.csv")] == ["a.png", "e.png"]


# The command itself


def test_extract_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nlp.extract import _parser; _parser().format_help();"
        "print(sorted({'spacy', 'pandas', 'pyarrow', 'numpy', 'torch', 'openpyxl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_extract_has_an_option_for_every_role() -> None:
    assert set(COLUMN_HELP) == {role.name for role in ROLES}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_extract_shows_progress_on_a_terminal_only() -> None:
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        clock = iter([0.0, 2.0, 2.1, 4.0, 5.0])
        progress = Progress(stream, clock=lambda clock=clock: next(clock))
        for rows, done in ((200, 0.25), (210, 0.26), (400, 0.5)):
            progress(rows, done)
        assert ("200 rows, 100 rows/s, 25%, 6 s left" in stream.getvalue()) == shown
        assert ("400 rows, 100 rows/s, 50%, 4 s left" in stream.getvalue()) == shown
        assert "210" not in stream.getvalue()  # at most twice a second
        progress.finish(500)
        assert stream.getvalue().endswith(
            f"500 rows in {5 if shown else 2}.0 s, {100 if shown else 250} rows/s\n"
        )
