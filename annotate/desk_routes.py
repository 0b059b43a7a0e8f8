"""What the desk in the browser asks for: records to come, decisions to keep; rights are checked for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields

from starlette.routing import Route

from annotate.app_settings import secret_of
from annotate.decisions import Ack, history, parse_decision, save
from annotate.desk_keys import desk_settings
from annotate.desk_records import desk_records, progress_of
from annotate.desk_requests import Body, RefusedError, Work, endpoint, list_in
from annotate.filters import check_filters
from annotate.image_routes import image_url
from annotate.people import save_settings, settings
from annotate.proposals import offer, parse_offer
from annotate.store import Store
from annotate.tokens import issue_token
from annotate.worklist import ORDERS, Filters, claim, open_record, release
from nlp.errors import StoreError

MOST_RECORDS = 64
MOST_OPERATIONS = 100
MOST_HELD = 10_000
_HISTORY = 200
_FRESH_SECONDS = 5.0
"""What others did shows in an annotator's progress after so long; counting it anew at every key would be slow."""


def desk_routes(get_store: Callable[[], Store], *, base: str = "") -> list[Route]:
    """The routes of the desk below ``base``."""

    def post(path: str, work: Work) -> Route:
        return Route(f"{base}/desk/{path}", endpoint(get_store, work), methods=["POST"])

    return [
        post("next", lambda store, name, body: next_records(store, name, body, base=base)),
        post("save", save_operations),
        post("mention-proposal", keep_offer),
        post("settings", keep_settings),
        Route(
            f"{base}/desk/record/{{record_id:int}}",
            endpoint(get_store, lambda store, name, body: one_record(store, name, body, base=base)),
            methods=["GET"],
        ),
    ]


def next_records(store: Store, name: str, body: Body, *, base: str = "") -> dict[str, object]:
    """Records to do that the browser does not hold yet, and how far the annotator is.

    ``have``: ids in the browser; ``count``: how many more, 0: only keep those; ``fresh``: give back what is
    reserved under other filters; ``history``: also the ids of the last decisions, newest first.
    """
    have = [each for each in list_in(body, "have", MOST_HELD) if _is_record(each)]
    count = body.get("count", 1)
    if type(count) is not int or not 0 <= count <= MOST_RECORDS:
        raise RefusedError(400, f"count must be 0 to {MOST_RECORDS}")
    order = body.get("order", ORDERS[0])
    if order not in ORDERS:
        raise RefusedError(400, f"order must be one of {', '.join(ORDERS)}")
    filters = _filters(body.get("filters"), store.findings)
    with store.write() as connection:
        if body.get("fresh") is True:
            release(connection, name)
        ids = claim(connection, name, count, order=order, filters=filters, now=time.time(), have=have)
    answer = _records(store, name, ids, base)
    if body.get("history") is True:
        with store.read() as connection:
            answer["history"] = history(connection, name, _HISTORY)
    return answer


def one_record(store: Store, name: str, body: Body, *, base: str = "") -> dict[str, object]:
    """One record by its number, which may be decided whoever's turn it is."""
    record_id = int(body["record_id"])
    if not _is_record(record_id):
        raise RefusedError(404, "there is no record of this number")
    with store.write() as connection:
        open_record(connection, name, record_id, now=time.time())
    return _records(store, name, [record_id], base)


def save_operations(store: Store, name: str, body: Body) -> dict[str, object]:
    """Keep a batch of decisions; each gets an answer of its own, so that one bad one stops no other."""
    acks: list[Ack] = []
    decisions = []
    for raw in list_in(body, "operations", MOST_OPERATIONS):
        try:
            decisions.append(parse_decision(raw, store.findings))
        except StoreError as error:
            op_id = raw.get("op_id", "") if isinstance(raw, Mapping) else ""
            acks.append(Ack(str(op_id), "refused", None, str(error)))
    with store.write() as connection:
        acks += save(connection, store.findings, name, decisions, now=time.time())
    return {"acks": [_plain(ack) for ack in acks], **_standing(store, name)}


def keep_offer(store: Store, name: str, body: Body) -> dict[str, object]:
    """Keep words that the annotator offers to the lexicon."""
    offered = parse_offer(body, store.findings)
    with store.write() as connection:
        status = offer(connection, name, offered, now=time.time())
    return {"acks": [{"op_id": offered.op_id, "status": status, "annotation_id": None, "message": ""}]}


def keep_settings(store: Store, name: str, body: Body) -> dict[str, object]:
    """Keep the annotator's keys."""
    chosen = desk_settings(body)
    with store.write() as connection:
        save_settings(connection, name, {**settings(connection, name), **chosen})
    return {"settings": chosen}


def _records(store: Store, name: str, ids: list[int], base: str) -> dict[str, object]:
    with store.read() as connection:
        records = desk_records(connection, ids, name, findings=store.findings)
    for record in records:
        record["url"] = image_url(store, record["id"], base=base)
        record["thumbnail"] = image_url(store, record["id"], thumbnail=True, base=base)
        for relative in record["relatives"]:
            relative["thumbnail"] = image_url(store, relative["id"], thumbnail=True, base=base)
    return {"records": records, **_standing(store, name)}


def _standing(store: Store, name: str) -> dict[str, object]:
    with store.read() as connection:
        progress = progress_of(connection, name, at_most_old=_FRESH_SECONDS)
    return {"progress": asdict(progress), "token": issue_token(secret_of(store), name)}


def _filters(raw: object, findings: Sequence[str]) -> Filters:
    given = raw if isinstance(raw, Mapping) else {}
    known = {field.name for field in fields(Filters)}
    wrong = [str(key)[:40] for key in given if key not in known]
    if wrong:
        raise RefusedError(400, f"unknown filter {', '.join(wrong)}; known are {', '.join(sorted(known))}")
    filters = Filters(**{key: str(value) for key, value in given.items() if value is not None})
    check_filters(filters, findings)
    return filters


def _is_record(number: object) -> bool:
    """Whether it can be the number of a record: databases count up to 64 bits."""
    return type(number) is int and 0 < number < 2**63


def _plain(ack: Ack) -> dict[str, object]:
    return asdict(ack)
