"""A request of the desk from bytes to answer: its size, who asks, the work in a thread, and what went wrong.

Every request carries a token that names the annotator. An error is one sentence of JSON; a text of a record
never goes into a log.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from annotate.app_settings import secret_of
from annotate.people import role_of
from annotate.store import Store
from annotate.tokens import name_in_token
from nlp.errors import StoreError

MOST_BYTES = 4_000_000
_MOST_READ = 64_000_000
"""What is read, and not kept, of a larger request: a browser that is still sending would not see the answer."""

Body = Mapping[str, Any]
Work = Callable[[Store, str, Body], dict[str, object]]

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that is answered with a status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


def endpoint(get_store: Callable[[], Store], work: Work) -> Callable[[Request], Any]:
    """Read the body, find out who asks, do the work in a thread, and word what went wrong."""

    async def answer(request: Request) -> JSONResponse:
        try:
            body = {**await _body(request), **request.path_params}
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            return _json(await run_in_threadpool(_work_as, get_store, token, work, body))
        except RefusedError as error:
            return _json({"error": str(error)}, error.status)
        except StoreError as error:
            # a database that fails may well be back in a moment; what it refuses stays refused
            if isinstance(error.__context__, SQLAlchemyError):
                _log.error("%s failed: %s", request.url.path, error)
                return _json({"error": str(error)}, 503)
            return _json({"error": str(error)}, 400)
        except (UnicodeEncodeError, OverflowError):  # it would fail again, however often it were sent
            return _json({"error": "the request holds a number or a letter that no database can keep"}, 400)
        except Exception as error:
            # the kind only: messages of the database may quote a caption
            _log.error("%s failed: %s", request.url.path, type(error).__name__)
            return _json({"error": "the server could not do this; it will be tried again"}, 503)

    return answer


def list_in(body: Body, key: str, most: int) -> list[Any]:
    """A list of a body, or an empty one.

    Raises:
        RefusedError: it is no list, or longer than ``most``.
    """
    value = body.get(key, [])
    if not isinstance(value, list) or len(value) > most:
        raise RefusedError(400, f"{key} must be a list of at most {most}")
    return value


def _work_as(get_store: Callable[[], Store], token: str, work: Work, body: Body) -> dict[str, object]:
    try:
        store = get_store()
    except StoreError as error:
        raise RefusedError(503, str(error)) from None
    name = name_in_token(secret_of(store), token)
    if name is None:
        raise RefusedError(401, "this page was open for too long; it signs in again by itself")
    with store.read() as connection:
        role = role_of(connection, name)
    if role is None:
        raise RefusedError(403, "this name may not label here; ask an adjudicator")
    return work(store, name, body)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; its size is checked while it comes in."""
    if request.method != "POST":
        return {}
    content, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= MOST_BYTES:
            content += part
        elif size > _MOST_READ:
            break
    if size > MOST_BYTES:
        raise RefusedError(413, f"a request holds at most {MOST_BYTES:,} bytes")
    try:
        body = json.loads(bytes(content))
    except (ValueError, RecursionError):
        raise RefusedError(400, "the request is not JSON") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "the request must be a JSON object")
    return body


def _json(answer: Mapping[str, object], status: int = 200) -> JSONResponse:
    return JSONResponse(dict(answer), status, headers={"Cache-Control": "no-store"})
