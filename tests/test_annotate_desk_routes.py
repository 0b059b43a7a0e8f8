"""The routes of the desk: who asks is known, everything is checked, and errors are one sentence."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotate import desk_routes
from annotate.desk_data import Work, desk_data
from annotate.desk_keys import KEY_ACTIONS, desk_settings
from annotate.people import add_user, settings
from annotate.store import Store
from annotate.tokens import issue_token
from nlp.errors import StoreError

Ask = Callable[..., Any]


@pytest.fixture
def ask(example_store: Store) -> Ask:
    """``ask("next", {...})``: status and JSON of a request, as anna unless said otherwise."""
    with example_store.write() as connection:
        add_user(connection, "anna")
        add_user(connection, "bea")
    client = TestClient(Starlette(routes=desk_routes.desk_routes(lambda: example_store)))

    def request(path: str, body: Any = None, *, name: str = "anna", token: str | None = None) -> Any:
        shown = issue_token(example_store.secret(), name) if token is None else token
        headers = {"Authorization": f"Bearer {shown}"}
        if body is None:
            answer = client.get(f"/desk/{path}", headers=headers)
        else:
            answer = client.post(f"/desk/{path}", content=json.dumps(body), headers=headers)
        return answer.status_code, answer.json()

    return request


def decision(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "op_id": f"operation-{record['id']}",
        "record_id": record["id"],
        "action": "confirm",
        "labels": record["labels"],
        "mentions": None,
        "boxes": [],
        "comment": "",
        "flagged": False,
        "base": None,
        "milliseconds": 900,
    }
    return {**made, **changes}


def test_desk_routes_give_records_and_keep_decisions(ask: Ask) -> None:
    status, answer = ask("next", {"count": 5, "history": True})
    assert status == 200 and len(answer["records"]) == 5 and answer["history"] == []
    record = answer["records"][0]
    assert record["url"].startswith(f"/image/{record['id']}?signature=")
    assert answer["progress"]["done"] == 0 and answer["progress"]["left"] == 85
    status, answer = ask("save", {"operations": [decision(record), decision(record)]})
    assert [ack["status"] for ack in answer["acks"]] == ["saved", "repeated"]
    assert answer["progress"]["done"] == 1
    status, answer = ask("next", {"count": 5, "have": [], "history": True})
    assert answer["history"] == [record["id"]]
    assert record["id"] not in [each["id"] for each in answer["records"]]


def test_desk_routes_take_what_the_desk_has_into_account(ask: Ask) -> None:
    held = [each["id"] for each in ask("next", {"count": 4})[1]["records"]]
    more = [each["id"] for each in ask("next", {"count": 4, "have": held})[1]["records"]]
    assert ask("next", {"count": 0, "have": held})[1]["records"] == []
    others = [each["id"] for each in ask("next", {"count": 4}, name="bea")[1]["records"]]
    assert len({*held, *more, *others}) == 12
    fresh = ask("next", {"count": 4, "fresh": True, "order": "image"})[1]["records"]
    assert [each["image"] for each in fresh] == sorted(each["image"] for each in fresh)


def test_desk_routes_filter(ask: Ask) -> None:
    filters = {"finding": "consolidation", "state": "1"}
    records = ask("next", {"count": 60, "filters": filters})[1]["records"]
    assert records and {each["labels"]["consolidation"] for each in records} == {"1"}
    blank = ask("next", {"count": 3, "filters": {"finding": "consolidation", "state": ""}}, name="bea")
    assert {each["labels"]["consolidation"] for each in blank[1]["records"]} == {""}


def test_desk_routes_open_one_record(ask: Ask) -> None:
    status, answer = ask("record/3")
    assert (status, [each["id"] for each in answer["records"]]) == (200, [3])
    status, answer = ask("record/99999")
    assert status in (400, 404) and "99999" in answer["error"]


def test_desk_routes_answer_each_operation_by_itself(ask: Ask) -> None:
    record = ask("next", {"count": 1})[1]["records"][0]
    bad = decision(record, op_id="operation-bad", action="destroy")
    acks = ask("save", {"operations": [bad, decision(record), "nonsense"]})[1]["acks"]
    assert sorted(ack["status"] for ack in acks) == ["refused", "refused", "saved"]


def test_desk_routes_know_who_asks(ask: Ask) -> None:
    for token in ("", "nonsense", issue_token(b"another database", "anna")):
        assert ask("next", {"count": 1}, token=token)[0] == 401
    status, answer = ask("next", {"count": 1}, name="stranger")
    assert status == 403 and "may not" in answer["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"order": "by mood"},
        {"filters": {"colour": "red"}},
        {"filters": {"finding": "tumour"}},
        {"have": "all"},
        {"count": "many"},
        {"filters": {"state": "1"}},
    ],
)
def test_desk_routes_refuse_in_one_sentence(body: dict[str, Any], ask: Ask) -> None:
    status, answer = ask("next", body)
    assert status == 400 and "Traceback" not in answer["error"] and len(answer["error"]) > 10


def test_desk_routes_limit_what_they_read(ask: Ask, example_store: Store) -> None:
    assert ask("save", {"operations": ["x" * 5_000_000]})[0] == 413
    assert ask("save", {"operations": [{}] * 101})[0] == 400
    client = TestClient(Starlette(routes=desk_routes.desk_routes(lambda: example_store)))
    headers = {"Authorization": f"Bearer {issue_token(example_store.secret(), 'anna')}"}
    for content in (b"{", b"[]", b"\xff", b"[" * 100_000):
        assert client.post("/desk/next", content=content, headers=headers).status_code == 400


def test_desk_routes_never_log_a_text(
    ask: Ask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("canary text of a caption")

    monkeypatch.setattr(desk_routes, "claim", fail)
    with caplog.at_level(logging.DEBUG):
        status, answer = ask("next", {"count": 1})
    assert status == 503 and "canary" not in answer["error"] and "canary" not in caplog.text
    assert "ValueError" in caplog.text


def test_desk_routes_keep_offers_once(ask: Ask) -> None:
    record = next(each for each in ask("next", {"count": 20})[1]["records"] if len(each["caption"]) > 20)
    offer = {
        "op_id": "offer-0001",
        "record_id": record["id"],
        "finding": "consolidation",
        "start": 0,
        "end": 9,
    }
    assert ask("mention-proposal", offer)[1]["acks"][0]["status"] == "saved"
    assert ask("mention-proposal", {**offer, "op_id": "offer-0002"})[1]["acks"][0]["status"] == "repeated"
    for wrong in ({"end": 10**6}, {"finding": "tumour"}, {"op_id": "x"}, {"start": 9}, {"record_id": "1"}):
        assert ask("mention-proposal", {**offer, "op_id": "offer-0003", **wrong})[0] == 400


def test_desk_routes_keep_keys(ask: Ask, example_store: Store) -> None:
    status, answer = ask("settings", {"keys": {"confirm": "z"}, "keys_on": False})
    assert status == 200 and answer["settings"] == {"keys": {"confirm": "z"}, "keys_on": False}
    with example_store.read() as connection:
        assert settings(connection, "anna")["keys"] == {"confirm": "z"}
    data = desk_data(example_store, "anna", Work())
    assert data["settings"] == {"keys": {"confirm": "z"}, "keys_on": False}
    assert [each["key"] for each in data["findings"]] == list(example_store.findings)  # type: ignore[attr-defined]


def test_desk_keys_are_all_different_by_default() -> None:
    assert len({action.key for action in KEY_ACTIONS}) == len(KEY_ACTIONS)
    assert desk_settings({}) == {"keys": {}, "keys_on": True}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"confirm": "x"}, "share"),
        ({"confirm": "1"}, "cannot be"),
        ({"confirm": "Tab"}, "cannot be"),
        ({"confirm": ["a"]}, "cannot be"),
        ({"fly": "y"}, "unknown action"),
    ],
)
def test_desk_keys_refuse_what_would_not_work(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(StoreError, match=said):
        desk_settings({"keys": keys})


def test_desk_keys_may_change_places() -> None:
    assert desk_settings({"keys": {"confirm": "x", "nothing": "a"}})["keys"] == {
        "confirm": "x",
        "nothing": "a",
    }


def test_desk_routes_ask_to_try_again_when_the_database_fails(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = ask("next", {"count": 1})[1]["records"][0]

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(desk_routes, "save", fail)
    assert ask("save", {"operations": [decision(record)]})[0] == 503  # the browser keeps it


def test_desk_routes_a_text_that_cannot_be_kept_stops_no_other(ask: Ask) -> None:
    first, second = ask("next", {"count": 2})[1]["records"]
    half = decision(first, op_id="operation-half", comment="half a pair: \ud83d")
    status, answer = ask("save", {"operations": [half, decision(second)]})
    assert status == 200
    assert {ack["op_id"]: ack["status"] for ack in answer["acks"]} == {
        "operation-half": "refused",
        f"operation-{second['id']}": "saved",
    }


@pytest.mark.parametrize("number", [10**30, 10**400])
def test_desk_routes_refuse_numbers_that_cannot_be_kept(number: int, ask: Ask) -> None:
    record = ask("next", {"count": 1})[1]["records"][0]
    box = {"finding": "consolidation", "left": 0, "top": 0, "right": number, "bottom": 9}
    acks = ask("save", {"operations": [decision(record, boxes=[box])]})[1]["acks"]
    assert [ack["status"] for ack in acks] == ["refused"]
    assert ask("next", {"count": 1, "have": [number]})[0] == 200
    assert ask(f"record/{number}")[0] == 404
    offer = {"op_id": "offer-0001", "record_id": number, "finding": "consolidation", "start": 0, "end": 9}
    assert ask("mention-proposal", offer)[0] == 400
