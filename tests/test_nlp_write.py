"""Writing: what is written is read back, and nothing that was there is lost when writing fails."""

from __future__ import annotations

import csv
import errno
import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import InputError, OutputError
from nlp.parts import Manifest, Parts, read_part, write_part
from nlp.results import name_targets
from nlp.write import check_targets, csv_lines, replacing, table_writer

MANIFEST = Manifest("hash", "lexicon", "program", "{}", "utf-8", ",", 100)
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def batch(**columns: list[object]) -> pa.RecordBatch:
    return pa.record_batch({name: pa.array(cells) for name, cells in columns.items()})


def parsed(lines: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(lines.decode(), newline=""), strict=True))


# CSV


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6), st.integers(0, 5))
def test_write_csv_is_what_a_reader_reads_back(rows: list[tuple[str, str, str]], skip: int) -> None:
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    part = pa.record_batch(columns, names=["a", "b", "c"]).slice(min(skip, len(rows) - 1))
    assert parsed(csv_lines(part)) == [list(row) for row in rows[min(skip, len(rows) - 1) :]]


def test_write_csv_quotes_only_what_needs_it_and_leaves_blanks_blank() -> None:
    cells = ["x", "", None, "a,b", 'say "y"', "two\nlines", "cr\r", "007", " edge "]
    lines = csv_lines(batch(cell=cells, number=[1, None, 3, 4, 5, 6, 7, 8, 9]))
    assert lines.decode().split("\n", 3)[:3] == ["x,1", ",", ",3"]
    assert lines.endswith(b'"cr\r",7\n007,8\n edge ,9\n')
    assert b'"a,b",4\n"say ""y""",5\n"two\nlines",6\n' in lines


def test_write_csv_of_no_rows_is_nothing() -> None:
    assert csv_lines(batch(a=["x"]).slice(1)) == b""


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_write_streams_batches_into_one_table(tmp_path: Path, suffix: str, count: int) -> None:
    target = tmp_path / f"labels{suffix}"
    with replacing([target]) as (handle,):
        writer = table_writer(handle, target, ["image", "start"])
        for number in range(count):
            writer.write(pa.record_batch({"image": [f"{number}.png", ""], "start": pa.array([number, None])}))
        writer.close()
    if suffix == ".parquet":
        table = pq.read_table(target)
        assert table.column_names == ["image", "start"]
        assert table.num_rows == 2 * count
    else:
        rows = [row for number in range(count) for row in ([f"{number}.png", str(number)], ["", ""])]
        assert parsed(target.read_bytes()) == [["image", "start"], *rows]


# Complete or not at all


def test_write_replaces_all_files_or_none(tmp_path: Path) -> None:
    targets = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for target in targets:
        target.write_text("old")
    with pytest.raises(RuntimeError), replacing(targets) as (first, _):
        first.write(b"new")
        raise RuntimeError
    assert [target.read_text() for target in targets] == ["old", "old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]
    with replacing(targets) as (first, second):
        first.write(b"new")
        second.write(b"newer")
        assert [target.read_text() for target in targets] == ["old", "old"]
    assert [target.read_text() for target in targets] == ["new", "newer"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_write_keeps_the_old_file_when_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full) if failing == "fsync" else monkeypatch.setattr(
        Path, "replace", full
    )
    with pytest.raises(OutputError) as error, replacing([target]) as (handle,):
        handle.write(b"new")
    assert str(error.value) == (
        f"a.csv was not written, older files are intact: No space left on device ({tmp_path})"
    )
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_write_flushes_file_and_folder_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        events.append("folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "file")  # noqa: PTH112
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with replacing([tmp_path / "a.csv"]) as (handle,):
        handle.write(b"new")
    assert events == ["file", "rename", "folder"]


def test_write_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "a.csv"
    link.symlink_to(tmp_path / "real" / "a.csv")
    with replacing([link]) as (handle,):
        handle.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.csv").read_bytes() == b"new"


# Targets


def test_write_refuses_targets_before_any_work(tmp_path: Path) -> None:
    source = tmp_path / "captions.csv"
    source.write_text("image,caption\n")
    (tmp_path / "folder.csv").mkdir()
    cases = {
        "must end in .csv or .parquet": [tmp_path / "labels.txt"],
        "is a folder": [tmp_path / "folder.csv"],
        "there is no folder": [tmp_path / "none" / "labels.csv"],
        "is the input, which is never replaced": [tmp_path / "folder.csv" / ".." / "captions.csv"],
        "two results would go to one file": [tmp_path / "a.csv", tmp_path / "folder.csv" / ".." / "a.csv"],
    }
    for message, targets in cases.items():
        with pytest.raises(OutputError, match=message):
            check_targets(targets, [], source)
        if "must end" not in message:
            with pytest.raises(OutputError, match=message):
                check_targets([], targets, source)
    check_targets([tmp_path / "labels.csv", tmp_path / "mentions.parquet"], [tmp_path / "page.html"], source)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, ["in/captions.labels.csv", "in/captions.mentions.csv", "in/captions.labels.rejected.csv"]),
        ("out/labels.csv", ["out/labels.csv", "out/mentions.csv", "out/labels.rejected.csv"]),
        ("out/x.parquet", ["out/x.parquet", "out/x.mentions.parquet", "out/x.rejected.csv"]),
    ],
)
def test_write_names_the_results_after_the_labels(labels: str | None, expected: list[str]) -> None:
    targets = name_targets(Path("in/captions.csv"), Path(labels) if labels else None, None)
    assert [p.as_posix() for p in (targets.labels, targets.mentions, targets.rejected)] == expected


# Parts


def test_write_part_gives_back_both_tables(tmp_path: Path) -> None:
    labels, mentions = batch(image=["a", "b"]), batch(image=["a"], start=[1], cue_start=[None])
    write_part(tmp_path / "0.arrow", labels, mentions)
    assert read_part(tmp_path / "0.arrow") == (labels, mentions)
    write_part(tmp_path / "0.arrow", labels, mentions.slice(1))
    assert read_part(tmp_path / "0.arrow")[1].num_rows == 0
    assert [path.name for path in tmp_path.iterdir()] == ["0.arrow"]


def test_write_part_that_is_damaged_or_of_other_rows_does_not_count(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    records = batch(image=["a", "b"])
    assert not parts.holds(0, records)
    write_part(parts.path(0), records, batch(image=["a"]))
    assert parts.holds(0, records)
    assert not parts.holds(0, batch(image=["b", "a"]))
    whole = parts.path(0).read_bytes()
    for place in range(0, len(whole), 5):
        parts.path(0).write_bytes(whole[:place])
        assert not parts.holds(0, records)
        parts.path(0).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not parts.holds(0, records)


def test_write_parts_resume_only_what_was_made_the_same_way(tmp_path: Path) -> None:
    parts = Parts(tmp_path / "labels.csv.parts")
    parts.prepare(MANIFEST, resume=False)
    parts.prepare(MANIFEST, resume=True)
    other = Manifest("hash", "newer", "program", '{"text": 2}', "utf-8", ",", 100)
    with pytest.raises(InputError) as error:
        parts.prepare(other, resume=True)
    assert str(error.value) == (
        f"{parts.folder} cannot be resumed: lexicon_version was 'lexicon', now 'newer'; "
        "columns was '{}', now '{\"text\": 2}'. "
        "Use what was used then, or run without --resume to start again"
    )


def test_write_parts_of_an_unfinished_run_are_replaced_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts(tmp_path / "labels.csv.parts")
    parts.prepare(MANIFEST, resume=False)
    write_part(parts.path(0), batch(image=["a"]), batch(image=["a"]))
    parts.prepare(MANIFEST, resume=False)
    assert not parts.path(0).exists()
    assert "of an unfinished run, is replaced; --resume continues one" in caplog.text
    parts.remove()
    parts.prepare(MANIFEST, resume=True)
    assert "there is no unfinished run" in caplog.text


def test_write_parts_never_delete_a_folder_of_something_else(tmp_path: Path) -> None:
    folder = tmp_path / "labels.csv.parts"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds no parts of an earlier run: move it away"):
        Parts(folder).prepare(MANIFEST, resume=False)
    assert (folder / "thesis.txt").exists()
