"""The one way to an image: ``GET /image/ID?signature=…``, signed, for one record, and only from its folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotate.app_settings import image_folder, secret_of
from annotate.image_forms import Shown, shown_image
from annotate.store import Store
from annotate.store_tables import RECORD
from annotate.tokens import link_is_good, sign_link
from nlp.errors import ImageError, ToolkitError
from nlp.image_names import ImageFolder

PATH = "/image/{record_id:int}"
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def image_url(store: Store, record_id: int, *, thumbnail: bool = False, base: str = "") -> str:
    """A link to a record's image that works for some hours.

    Args:
        thumbnail: a small picture instead of the file.
        base: the path under which a proxy shows the app, such as ``/labels``.
    """
    signature = sign_link(secret_of(store), record_id)
    return f"{base}/image/{record_id}?signature={signature}{'&thumbnail=1' if thumbnail else ''}"


def image_route(get_store: Callable[[], Store], *, images: Path | None = None, base: str = "") -> Route:
    """The route that serves images.

    Args:
        images: the image folder; by default the one that the database remembers.
    """

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_answer, request, get_store, images)

    return Route(base + PATH, answer, methods=["GET"])


def _answer(request: Request, get_store: Callable[[], Store], images: Path | None) -> Response:
    record_id = request.path_params["record_id"]
    try:
        store = get_store()
        if not link_is_good(secret_of(store), record_id, request.query_params.get("signature", "")):
            return _problem(403, "this link to an image has ended or is not valid; reload the page")
        path = _path_of(store, record_id, images)
        small = request.query_params.get("thumbnail") == "1"
        tag = _tag(path, small)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag, **_caching(), **_SAFE})
        shown = shown_image(path, thumbnail=small)
    except _NoImageError as error:
        return _problem(404, str(error))
    except ImageError as error:
        return _problem(415, str(error))
    except OSError:
        return _problem(404, f"the image of record {record_id} cannot be read: was it moved or removed?")
    except ToolkitError:
        return _problem(503, "the database cannot be reached; try again")
    return _response(shown, tag)


class _NoImageError(Exception):
    """There is no such record, folder or file."""


def _path_of(store: Store, record_id: int, images: Path | None) -> Path:
    with store.read() as connection:
        query = sa.select(RECORD.c.image, RECORD.c.file).where(RECORD.c.id == record_id)
        row = connection.execute(query).first()
    if row is None:
        raise _NoImageError(f"there is no record {record_id}")
    folder = image_folder(store, images)
    if folder is None or not folder.is_dir():
        raise _NoImageError("the image folder is not there; name it with --images DIR")
    path, _ = _folder(folder, int(time.time() // 60)).look_up(row.file or row.image, suggest=False)
    if path is None:
        raise _NoImageError(f"the image of record {record_id} is not in the image folder")
    return path


@lru_cache(maxsize=4)
def _folder(folder: Path, _minute: int) -> ImageFolder:
    """The folder's list of files, made anew after a minute, so that added files are found."""
    return ImageFolder(folder)


def _tag(path: Path, small: bool) -> str:
    stat = path.stat()
    text = f"{path}\0{stat.st_mtime_ns}\0{stat.st_size}\0{small}"
    return f'"{hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]}"'


def _response(shown: Shown, tag: str) -> Response:
    headers = {"ETag": tag, **_caching(), **_SAFE}
    return Response(shown.content, media_type=shown.media_type, headers=headers)


def _caching() -> dict[str, str]:
    return {"Cache-Control": "private, max-age=3600"}


def _problem(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status, headers={"Cache-Control": "no-store", **_SAFE})
