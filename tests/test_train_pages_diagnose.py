"""The Diagnose page in a real browser, with a tiny run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Page

import train.report
from annotate.store import open_store
from annotate.store_tables import RECORD
from benchmarks.desk_browser import chromium, chromium_program, serving
from tests.train_phantoms import phantom_config, phantom_records, write_phantoms
from train.diagnosis import Diagnosis, frequency
from train.image_paths import Chosen
from train.run import run

SECONDS = 60_000
MARKED = "![x](&#47;&#47;elsewhere.example&#47;x.png) r.png"
"""As Markdown a picture from another machine; such names come in archives from anywhere."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images`` and a finished ``run``."""
    folder = tmp_path_factory.mktemp("made")
    table = write_phantoms(folder, phantom_records(24))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.report, "write_report", lambda folder, records: None)
        run(table, folder / "images", phantom_config(epochs=1), out=folder / "run", bootstraps=50)
    return folder


@pytest.fixture
def page(made: Path, example_sqlite: Path, tmp_path: Path) -> Iterator[Page]:
    """The page at rest; the store is ``labels.db`` of the test's folder."""
    if chromium_program() is None:
        pytest.skip("no Chromium here")
    (tmp_path / "labels.db").write_bytes(example_sqlite.read_bytes())
    images = tmp_path / "kept"
    images.mkdir()
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    arguments = ["--runs", str(made / "run")]
    with serving(url, tmp_path / "log", images=images, arguments=arguments) as server, chromium() as browser:
        found = browser.new_page()
        found.goto(f"{server.url}/diagnose?user=Anna")
        found.wait_for_selector('[data-testid="stFileUploaderDropzone"]', timeout=SECONDS)
        yield found


def test_diagnose_answers_with_maps_and_takes_a_gift(made: Path, tmp_path: Path, page: Page) -> None:
    page.set_input_files("input[type=file]", str(made / "images" / "003.png"))
    page.get_by_text("Most similar training images").wait_for(timeout=SECONDS)
    assert page.get_by_text("For research, not for diagnosis.").count() == 1
    assert page.get_by_text("Out of the ordinary").count() == 1  # 32 pixels are few
    page.locator("img").nth(5).wait_for(timeout=SECONDS)  # six maps
    page.get_by_text("Give this picture to those who label").click()
    page.get_by_text("I may give this picture").click()
    button = page.get_by_role("button", name="Give it")
    assert button.is_disabled()
    page.get_by_text("Nothing on it says whose it is").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.innerText.includes('Give it') && !b.disabled)"
    )
    button.click()
    page.get_by_text("It is in the queue.").wait_for(timeout=SECONDS)
    with closing(open_store(f"sqlite:///{tmp_path / 'labels.db'}")) as store, store.read() as connection:
        names = connection.scalars(sa.select(RECORD.c.image).where(RECORD.c.image.like("uploads/%"))).all()
    assert len(names) == 1 and "003" not in names[0] and (tmp_path / "kept" / names[0]).exists()


def test_diagnose_a_batch_is_a_table_with_a_download(made: Path, tmp_path: Path, page: Page) -> None:
    archive, asked = tmp_path / "set.zip", list[str]()
    page.on("request", lambda request: asked.append(request.url))
    with zipfile.ZipFile(archive, "w") as file:
        file.write(made / "images" / "005.png", MARKED)
        for path in sorted((made / "images").iterdir())[:5]:
            file.write(path, path.name)
        file.writestr("broken.png", b"")
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM" + bytes(20))
    with (tmp_path / "large.png").open("wb") as large:
        large.truncate(400 * 2**20)  # a hole: nothing is written
    page.set_input_files("input[type=file]", str(tmp_path / "large.png"))
    page.get_by_text("200.0MB or smaller").wait_for(timeout=SECONDS)
    sent = [str(tmp_path / name) for name in ("set.zip", "drawing.svg", "cut.dcm")]
    page.set_input_files("input[type=file]", sent)
    page.get_by_text("Download the table").wait_for(timeout=2 * SECONDS)
    with page.expect_download() as got:
        page.get_by_text("Download the table").click()
    lines = Path(got.value.path()).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        f"set.zip/{MARKED}",
        *(f"set.zip/{number:03d}.png" for number in range(5)),
        *("set.zip/broken.png", "drawing.svg", "cut.dcm"),
    ]
    reasons = ("is empty (0 bytes)", "not a picture made of pixels", "DICOM")
    assert all(
        reason in line for reason, line in zip(reasons, lines[-3:], strict=True)
    ) and "/tmp" not in "".join(lines)
    page.get_by_role("heading", name=f"set.zip/{MARKED}").wait_for(timeout=SECONDS)
    assert not [address for address in asked if "elsewhere" in address]


def test_diagnose_shows_a_large_picture_reduced_and_gives_it_whole(made: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1500, 2100), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    reading = Diagnosis(made / "run", device="cpu").read(Chosen(tmp_path / "large.png"))
    assert reading.maps.shape == (len(reading.outputs), *reading.shown.shape) == (6, 731, 1024)
    with Image.open(io.BytesIO(reading.overlay(0, 0.6))) as shown:
        assert (shown.format, shown.size, shown.mode) == ("JPEG", (1024, 731), "RGB")
    with Image.open(io.BytesIO(reading.plain())) as given:
        assert given.format == "PNG" and np.array_equal(np.asarray(given), pixels)


def test_diagnose_frequency_is_that_of_the_nearest_bin() -> None:
    bins = [{"n": 10, "probability": 0.1, "observed": 0.0}, {"n": 20, "probability": 0.8, "observed": 0.75}]
    found = frequency(bins, 0.7)
    assert found is not None and (found.observed, found.n) == (0.75, 20) and found.low < 0.75 < found.high
    assert found.low == pytest.approx(0.531, abs=0.001) and found.high == pytest.approx(0.888, abs=0.001)
    assert frequency([], 0.5) is None


def test_diagnose_frequency_has_the_interval_of_patients_and_of_older_runs_as_many_as_usual() -> None:
    old = [{"n": 20, "probability": 0.8, "observed": 0.75}]
    alone, four = frequency(old, 0.8), frequency(old, 0.8, patients_per_image=0.25)
    known = frequency([{**old[0], "n_patients": 5}], 0.8, patients_per_image=1.0)
    assert alone is not None and four is not None and known is not None and known == four
    assert (four.n, four.n_patients) == (20, 5) and four.low < alone.low and alone.high < four.high
