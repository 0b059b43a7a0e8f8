"""``nlp.image_names``: which file a published name means, and which names mean none."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.errors import ImageError
from nlp.image_names import ImageFolder, find_images, stem


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder: Path, name: str) -> str:
    return ImageFolder(folder).find(name).relative_to(folder).as_posix()


def problem(folder: Path, name: str) -> str:
    with pytest.raises(ImageError) as caught:
        ImageFolder(folder).find(name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CT/a.png", "CT/a.png"),
        ("a.png", "CT/a.png"),
        ("a", "CT/a.png"),
        ("2020.03.22.20040782-p25-1542", "CT/2020.03.22.20040782-p25-1542.png"),
        ("6-52%0", "CT/6-52%0.JPG"),
        ("6-52%0.png", "CT/6-52%0.JPG"),  # the table was written before the files were converted
        ("elsewhere/CT/a.png", "CT/a.png"),
    ],
)
def test_image_names_are_paths_then_file_names_then_stems(tmp_path: Path, name: str, expected: str) -> None:
    make(tmp_path, "CT/a.png", "CT/2020.03.22.20040782-p25-1542.png", "CT/6-52%0.JPG", "CT/a.json", ".a.png")
    assert found(tmp_path, name) == expected


def test_image_names_exact_path_wins_over_other_files_of_that_name(tmp_path: Path) -> None:
    assert found(make(tmp_path, "a.png", "b/a.png"), "a.png") == "a.png"


def test_image_names_file_name_wins_over_stem(tmp_path: Path) -> None:
    assert found(make(tmp_path, "x/a", "x/a.png"), "a") == "x/a"


def test_image_names_are_never_url_decoded(tmp_path: Path) -> None:
    make(tmp_path, "x/a%20b.png", "x/c d.png")
    assert found(tmp_path, "a%20b") == "x/a%20b.png"
    assert "no such file" in problem(tmp_path, "c%20d.png")


def test_image_names_ambiguous_names_list_the_files(tmp_path: Path) -> None:
    make(tmp_path, "p1/view.png", "p2/view.png", "p3/scan.png", "p3/scan.jpg")
    assert "2 files fit, name one with its folder: 'p1/view.png', 'p2/view.png'" in problem(
        tmp_path, "view.png"
    )
    assert "'p3/scan.jpg', 'p3/scan.png'" in problem(tmp_path, "scan")


def test_image_names_folders_of_the_name_tell_files_apart(tmp_path: Path) -> None:
    make(tmp_path, "train/p1/view.png", "train/p2/view.png")
    assert found(tmp_path, "CheXpert-v1.0-small/train/p2/view.png") == "train/p2/view.png"
    assert found(tmp_path, "p1/view.png") == "train/p1/view.png"


def test_image_names_unicode_forms_are_the_same_name_but_literal_wins(tmp_path: Path) -> None:
    composed, split = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    make(tmp_path / "one", f"x/{split}")
    assert found(tmp_path / "one", composed) == f"x/{split}"
    make(tmp_path / "both", f"x/{split}", f"x/{composed}")
    assert found(tmp_path / "both", composed) == f"x/{composed}"
    assert found(tmp_path / "both", split) == f"x/{split}"


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "/etc/hosts"])
def test_image_names_never_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    make(tmp_path, "secret.png", "images/a/x.png")
    assert "must be a path below the image folder" in problem(tmp_path / "images", name)


def test_image_names_links_count_only_inside_the_folder(tmp_path: Path) -> None:
    make(tmp_path, "secret.png", "outside/y.png", "images/x.png")
    folder = tmp_path / "images"
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "door").symlink_to(tmp_path / "outside", target_is_directory=True)
    (folder / "in.png").symlink_to(folder / "x.png")
    assert "leads out" in problem(folder, "out.png")
    assert "leads out" in problem(folder, "out")
    assert "leads out" in problem(folder, "door/y.png")
    assert "no such file" in problem(folder, "y.png")
    assert found(folder, "in") == "in.png"


@pytest.mark.parametrize("name", ["", ".", "a\0b", "x" * 5000])
def test_image_names_that_no_file_can_have_are_misses(tmp_path: Path, name: str) -> None:
    assert "no such file" in problem(make(tmp_path, "a.png"), name)


def test_find_images_keeps_the_order_and_repeats(tmp_path: Path) -> None:
    make(tmp_path, "b.png", "x/a.png")
    assert find_images(["b", "a", "b"], tmp_path) == [
        tmp_path / "b.png",
        tmp_path / "x/a.png",
        tmp_path / "b.png",
    ]


def test_find_images_lists_every_miss_with_names_near_it(tmp_path: Path) -> None:
    make(tmp_path, *(f"scan-{number}.png" for number in range(12)), "p/v.png", "q/v.png")
    with pytest.raises(ImageError) as caught:
        find_images(["scan-3", "scam-3.png", *(f"gone{n}" for n in range(40)), "v"], tmp_path)
    message = str(caught.value)
    assert message.startswith("42 of 43 image names cannot be used")
    assert "'scam-3.png': no such file" in message and "near it: 'scan-3.png'" in message
    assert all(f"'gone{number}'" in message for number in range(40))
    assert "'v': 2 files fit" in message


def test_find_images_refuses_two_names_of_one_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"'a': means the same file as 'a\.png'"):
        find_images(["a.png", "a"], make(tmp_path, "a.png"))


def test_image_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no image folder"):
        ImageFolder(tmp_path / "none")


@given(st.lists(st.text("ab%.é ", min_size=1, max_size=6), unique=True, min_size=1, max_size=5))
def test_image_names_every_file_is_found_by_its_path(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("images")
    paths = [f"x/{name}" for name in names if name.strip(".")]
    make(folder, *paths)
    assert find_images(paths, folder) == [folder / path for path in paths]


def test_stem_takes_away_image_suffixes_only() -> None:
    assert [stem(name) for name in ("a.JPEG", "2020.03.22", "a.json", ".png")] == [
        "a",
        "2020.03.22",
        "a.json",
        ".png",
    ]


def test_find_images_finds_every_published_name(shared: Path) -> None:
    folder = shared / "data" / "covid-ct"
    tables = [
        (folder / f"{split}_meta.csv").read_text(encoding="utf-8") for split in ("train", "val", "test")
    ]
    names = [line.split(",")[0] for table in tables for line in table.splitlines()[1:]]
    files = find_images(names, folder / "images")
    assert len(set(files)) == len(names) == 746


def test_find_images_finds_published_names_without_suffix(shared: Path) -> None:
    folder = shared / "data" / "covid-ct"
    table = (folder / "COVID-CT-MetaInfo_new.csv").read_text(encoding="gb18030")
    names = [row[0] for row in csv.reader(table.splitlines()[1:])]
    files = find_images(names, folder / "images")
    assert len(set(files)) == len(names) == 349
    assert sum(file.name != name for name, file in zip(names, files, strict=True)) == 83
