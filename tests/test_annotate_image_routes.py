"""Images: only with a good link, only from the image folder, and in a form that a browser shows."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotate.image_forms import shown_image
from annotate.image_routes import image_route, image_url
from annotate.store import Store, open_store
from annotate.store_tables import META, RECORD
from nlp.errors import ImageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of many kinds; outside lies a file that must never be served."""
    made = tmp_path / "images"
    made.mkdir()
    (tmp_path / "outside.png").write_bytes(b"secret")
    (made / "link.png").symlink_to(tmp_path / "outside.png")
    Image.new("L", (40, 30), 90).save(made / "grey.png")
    Image.new("RGB", (40, 30), (9, 90, 200)).save(made / "really-jpeg.png", "JPEG")
    Image.new("CMYK", (40, 30)).save(made / "cmyk.jpg")
    Image.new("P", (40, 30)).save(made / "palette.png")
    deep = (np.arange(1200, dtype=np.uint16).reshape(30, 40) * 3) + 1000
    Image.fromarray(deep).save(made / "deep.png")
    Image.fromarray(deep).save(made / "deep.tif")
    (made / "drawing.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    )
    (made / "drawing.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (made / "cut.png").write_bytes((made / "grey.png").read_bytes()[:60])
    (made / "bomb.png").write_bytes(png_header(60_000, 60_000))
    return made


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


NAMES = (
    *("grey.png", "really-jpeg.png", "cmyk.jpg", "palette.png", "deep.png", "deep.tif", "drawing.svg"),
    *("drawing.png", "cut.png", "bomb.png", "link.png", "../outside.png", "missing.png", "grey"),
)


@pytest.fixture
def filled(tmp_path: Path, folder: Path) -> Iterator[Store]:
    with closing(open_store(str(tmp_path / "labels.db"))) as store:
        with store.write() as connection:
            rows = [{"image": name, "patient_id": "p", "labels": {}} for name in NAMES]
            connection.execute(sa.insert(RECORD), rows)
            connection.execute(META.delete().where(META.c.key == "image_folder"))
            connection.execute(sa.insert(META).values(key="image_folder", value=str(folder)))
        yield store


@pytest.fixture
def client(filled: Store) -> TestClient:
    return TestClient(Starlette(routes=[image_route(lambda: filled)]))


@pytest.fixture
def url_of(filled: Store) -> Callable[..., str]:
    def make(name: str, *, thumbnail: bool = False) -> str:
        with filled.read() as connection:
            record = connection.scalar(sa.select(RECORD.c.id).where(RECORD.c.image == name))
        return image_url(filled, int(record or 0), thumbnail=thumbnail)

    return make


def test_image_routes_send_a_file_as_it_is(
    client: TestClient, url_of: Callable[..., str], folder: Path
) -> None:
    answer = client.get(url_of("grey.png"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == (folder / "grey.png").read_bytes()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private")
    again = client.get(url_of("grey.png"), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(url_of("grey")).content == answer.content  # the contract's name rules


def test_image_routes_go_by_content_and_not_by_name(client: TestClient, url_of: Callable[..., str]) -> None:
    assert client.get(url_of("really-jpeg.png")).headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("name", ["cmyk.jpg", "palette.png", "deep.png", "deep.tif"])
def test_image_routes_convert_what_browsers_do_not_show(
    name: str, client: TestClient, url_of: Callable[..., str]
) -> None:
    answer = client.get(url_of(name))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.mode in ("L", "RGB") and image.size == (40, 30)
        if name.startswith("deep"):
            assert image.getextrema() == (0, 255)  # stretched, neither clipped nor near black


def test_image_routes_make_thumbnails(client: TestClient, url_of: Callable[..., str]) -> None:
    answer = client.get(url_of("grey.png", thumbnail=True))
    assert answer.status_code == 200
    with Image.open(io.BytesIO(answer.content)) as image:
        assert max(image.size) <= 128


@pytest.mark.parametrize("name", ["drawing.svg", "drawing.png", "cut.png", "bomb.png"])
def test_image_routes_refuse_what_is_no_image(
    name: str, client: TestClient, url_of: Callable[..., str]
) -> None:
    answer = client.get(url_of(name, thumbnail=True))
    assert answer.status_code == 415
    assert name in answer.json()["error"]


@pytest.mark.parametrize("name", ["link.png", "../outside.png", "missing.png"])
def test_image_routes_serve_nothing_from_outside(
    name: str, client: TestClient, url_of: Callable[..., str]
) -> None:
    answer = client.get(url_of(name))
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_image_routes_want_a_good_link(client: TestClient, url_of: Callable[..., str]) -> None:
    good = url_of("grey.png")
    assert client.get(good.partition("?")[0]).status_code == 403
    assert client.get(good + "x").status_code == 403
    assert client.get(good.replace("/image/1?", "/image/2?")).status_code == 403
    assert client.get(good.replace("/image/1?", "/image/one?")).status_code == 404


def test_image_forms_say_what_is_wrong(folder: Path) -> None:
    with pytest.raises(ImageError, match="too many pixels"):
        shown_image(folder / "bomb.png")
    with pytest.raises(ImageError, match="cannot be read"):
        shown_image(folder / "gone.png")


def test_image_routes_say_that_a_file_is_gone(
    client: TestClient, url_of: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.image_routes._path_of", lambda *_: folder / "removed.png")
    answer = client.get(url_of("grey.png"))
    assert answer.status_code == 404 and "removed?" in answer.json()["error"]
