from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import train.archives
from nlp.errors import ImageError
from train.archives import forget_archives, members
from train.image_forms import read_grey
from train.image_paths import chosen_images

PICTURE = np.random.default_rng(0).integers(0, 255, (120, 100)).astype(np.uint8)


def png() -> bytes:
    made = io.BytesIO()
    Image.fromarray(PICTURE).save(made, "PNG")
    return made.getvalue()


def packed(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_archives_are_read_without_unpacking(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    files = {
        "b/2.png": png(),
        "1.png": png(),
        "notes.txt": b"-",
        "__MACOSX/._1.png": b"-",
        ".hidden.png": b"-",
    }
    archive = packed(tmp_path / "in" / "set.zip", **files)
    (tmp_path / "in" / "z.png").write_bytes(png())
    found = chosen_images([tmp_path / "in"])
    assert [each.path for each in found] == [
        archive / "1.png",
        archive / "b/2.png",
        tmp_path / "in" / "z.png",
    ]
    for each in found:
        np.testing.assert_array_equal(read_grey(each.path), PICTURE.astype(np.float32) / 255)
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["set.zip", "z.png"]


def test_archives_members_of_odd_names_are_read(tmp_path: Path) -> None:
    archive = packed(tmp_path / "set.zip", **{"./x.png": png(), "d//y.png": png(), "./d/./z.png": png()})
    found = chosen_images([archive])
    assert {each.path for each in found} == {archive / name for name in ("x.png", "d/y.png", "d/z.png")}
    for each in found:
        np.testing.assert_array_equal(read_grey(each.path), PICTURE.astype(np.float32) / 255)


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:evil.png"]
)
def test_archives_members_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "evil.png").write_bytes(png())
    archive = packed(tmp_path / "set.zip", **{name: png(), "good.png": png()})
    found = {each.path.name: each for each in chosen_images([archive])}
    assert "leads out" in found.pop("member-1").problem
    assert [(each.path, each.problem) for each in found.values()] == [(archive / "good.png", "")]


def test_archives_members_that_are_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    link = zipfile.ZipInfo("door.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(link, str(tmp_path / "secret.png"))
    (found,) = chosen_images([tmp_path / "set.zip"])
    with pytest.raises(ImageError, match="not an image of a known form"):
        read_grey(found.path)


def test_archives_inside_archives_and_encrypted_members_are_named(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", **{"1.png": png()}).read_bytes()
    archive = packed(tmp_path / "set.zip", **{"inner.zip": inner, "good.png": png()})
    content = bytearray(archive.read_bytes())
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1  # of the first member, as the directory has it
    archive.write_bytes(bytes(content))
    problems = dict(members(archive))
    assert (
        "archive inside an archive" in problems[archive / "inner.zip"] and not problems[archive / "good.png"]
    )


def test_archives_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    bomb = packed(tmp_path / "bomb.zip", **{"bomb.png": bytes(80 * 2**20)})
    (found,) = chosen_images([bomb])
    assert "zip bomb" in found.problem and found.path == bomb


def test_archives_that_lie_about_sizes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "set.zip", **{"a.png": bytes(5000)})
    content = archive.read_bytes().replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: is "):
        read_grey(archive / "a.png")
    monkeypatch.setattr(train.archives, "MOST_BYTES", 1000)
    large = tmp_path / "large.png"
    large.write_bytes(bytes(2000))
    with pytest.raises(ImageError, match="more than the 0 MB"):
        read_grey(large)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs a list of open files")
def test_archives_are_let_go(tmp_path: Path) -> None:
    archive = packed(tmp_path / "set.zip", **{"a.png": png()})
    read_grey(archive / "a.png")
    assert archive in open_files()
    forget_archives()
    assert archive not in open_files()


def open_files() -> set[Path]:
    return {path.resolve() for path in Path("/proc/self/fd").iterdir()}


def test_image_paths_follow_no_link_out_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in (tmp_path / "secret.png", folder / "own.png"):
        path.write_bytes(png())
    packed(tmp_path / "secret.zip", **{"a.png": png()})
    for name in ("secret.png", "secret.zip"):
        (folder / name).symlink_to(tmp_path / name)
    (tmp_path / "door").symlink_to(folder, target_is_directory=True)
    found = {each.path.name: each.problem for each in chosen_images([tmp_path / "door"])}
    assert found.pop("own.png") == "" and set(found) == {"secret.png", "secret.zip"}
    assert all("leads out of its folder" in problem for problem in found.values())
    (named,) = chosen_images([folder / "secret.png"])
    assert not named.problem, "one that is named itself is meant"


def test_archives_damaged_ones_are_one_problem(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    cut = packed(tmp_path / "cut.zip", **{"a.png": png()})
    cut.write_bytes(cut.read_bytes()[:-30])
    found = chosen_images([tmp_path])
    assert len(found) == 2 and all("no zip archive" in each.problem for each in found)
    with pytest.raises(ImageError, match="no such file"):
        read_grey(packed(tmp_path / "ok.zip", **{"a.png": png()}) / "b.png")
