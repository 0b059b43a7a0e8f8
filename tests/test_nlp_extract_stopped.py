"""``nlp.extract`` with workers, killed, interrupted, resumed, and on a full disk."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from nlp.command import FAILED, INTERRUPTED
from nlp.errors import InputError
from nlp.extract import extract, main
from nlp.lexicon import load_lexicon
from nlp.parallel import IN_FLIGHT, Job, label_parts
from nlp.parts import read_part
from tests.caption_files import few_captions, hashes, many_captions, rows_of

ROOT = Path(__file__).parents[1]
LEXICON = load_lexicon()


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    return few_captions(tmp_path)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    return many_captions(tmp_path)


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
