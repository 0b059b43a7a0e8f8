"""From outside, with a client and no favours: what an attacker or a curious colleague would try.

The threat model is ``docs/security.md``; every test that it names exists.
"""

from __future__ import annotations

import json
import logging
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from annotate import tokens
from annotate.adjudication import adjudicate, withdraw
from annotate.adjudication_cases import Seen, case_of
from annotate.desk_routes import desk_routes
from annotate.export import main as export_main
from annotate.image_routes import image_route, image_url
from annotate.lexicon_edit import decide_proposals
from annotate.lexicon_versions import activate
from annotate.load import main as load_main
from annotate.people import add_user, set_role
from annotate.store import Store, open_store
from annotate.store_tables import ANNOTATION, EVENT, USER
from annotate.suspects import apply_suspect_order
from annotate.team import change_overlap
from annotate.tokens import issue_token
from nlp.command import DONE
from nlp.errors import StoreError
from nlp.extract import main as extract_main
from nlp.schema import COVID

ROOT = Path(__file__).resolve().parents[1]
CANARY = "xylophone-4711"
NOW = 1_760_000_000.0


@pytest.fixture
def app(example_store: Store) -> TestClient:
    """All routes of ours, and three people: ada adjudicates, anna and bea read."""
    with example_store.write() as connection:
        for name in ("ada", "anna", "bea"):
            add_user(connection, name)
    routes = [image_route(lambda: example_store), *desk_routes(lambda: example_store)]
    return TestClient(Starlette(routes=routes), raise_server_exceptions=False)


def every_route(store: Store) -> list[tuple[str, str]]:
    """Method and an address of each route of the desk, so that a new one is tried too."""
    routes: list[Route] = desk_routes(lambda: store)
    addresses = (re.sub(r"\{[^}]*\}", "1", route.path) for route in routes)
    methods = (next(iter((route.methods or {"GET"}) - {"HEAD"})) for route in routes)
    return list(zip(methods, addresses, strict=True))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def confirm(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "op_id": "operation-1",
        "record_id": record["id"],
        "action": "confirm",
        "labels": record["labels"],
    }
    usual = {"mentions": None, "boxes": [], "comment": "", "flagged": False, "base": None, "milliseconds": 1}
    return {**usual, **made, **changes}


# Who gets in


def test_security_no_route_answers_without_a_good_token(app: TestClient, example_store: Store) -> None:
    good = issue_token(example_store.secret(), "anna")
    bad = ["", "x", good[:-2], f"{good[:5]}x{good[6:]}", issue_token(b"another", "anna"), f"{good}.{good}"]
    for method, address in every_route(example_store):
        for token in bad:
            answer = app.request(method, address, headers=bearer(token), content="{}")
            assert answer.status_code == 401, (address, token)
            assert set(answer.json()) == {"error"}
        stranger = bearer(issue_token(example_store.secret(), "eve"))
        assert app.request(method, address, headers=stranger, content="{}").status_code == 403


def test_security_a_token_ends(
    app: TestClient, example_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issue_token(example_store.secret(), "anna")
    assert app.post("/desk/next", headers=bearer(token), json={"count": 1}).status_code == 200
    monkeypatch.setattr(tokens, "TOKEN_SECONDS", -1)
    assert app.post("/desk/next", headers=bearer(token), json={"count": 1}).status_code == 401


def test_security_another_site_cannot_act_in_a_name(app: TestClient, example_store: Store) -> None:
    """A foreign page makes a browser send cookies, forms and addresses, but never our header."""
    token = issue_token(example_store.secret(), "anna")
    for method, address in every_route(example_store):
        app.cookies.set("token", token)
        app.cookies.set("Authorization", f"Bearer {token}")
        forged = {"origin": "https://evil.example", "content-type": "text/plain"}
        sent = app.request(method, f"{address}?token={token}&authorization=Bearer%20{token}", headers=forged,
                           content=json.dumps({"token": token, "authorization": f"Bearer {token}"}))  # fmt: skip
        assert sent.status_code == 401, address
        assert "access-control-allow-origin" not in sent.headers
        asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
        asked["access-control-request-headers"] = "authorization"
        allowed = app.options(address, headers=asked)
        assert allowed.status_code >= 400 and "access-control-allow-origin" not in allowed.headers


# Who may do what


def test_security_the_token_says_who_acts_whatever_the_request_says(
    app: TestClient, example_store: Store
) -> None:
    headers = bearer(issue_token(example_store.secret(), "anna"))
    record = app.post("/desk/next", headers=headers, json={"count": 1}).json()["records"][0]
    body = {"operations": [confirm(record, annotator="ada", actor="ada")], "name": "ada", "annotator": "ada"}
    answer = app.post("/desk/save?name=ada&user=ada", headers=headers, json=body).json()
    with example_store.read() as connection:
        people = set(connection.scalars(sa.select(ANNOTATION.c.annotator)))
        actors = set(connection.scalars(sa.select(EVENT.c.actor).where(EVENT.c.kind.like("annotation.%"))))
    assert (people, actors) == (({"anna"},) * 2 if answer["acks"][0]["status"] == "saved" else (set(), set()))


def test_security_nobody_reads_what_another_decided(app: TestClient, example_store: Store) -> None:
    anna, bea = (bearer(issue_token(example_store.secret(), name)) for name in ("anna", "bea"))
    record = app.post("/desk/next", headers=anna, json={"count": 1}).json()["records"][0]
    flipped = dict.fromkeys(record["labels"], "-1")
    said = confirm(record, labels=flipped, comment=CANARY)
    assert (
        app.post("/desk/save", headers=anna, json={"operations": [said]}).json()["acks"][0]["status"]
        == "saved"
    )
    seen = app.get(f"/desk/record/{record['id']}", headers=bea)
    told = seen.json()["records"][0]
    assert CANARY not in seen.text and "anna" not in seen.text
    assert told["labels"] == record["labels"]
    again = app.post("/desk/save", headers=bea, json={"operations": [said]})
    assert again.json()["acks"][0]["status"] == "refused"  # another's operation is not told as one's own
    undo = confirm(record, op_id="operation-2", action="undo", base="operation-1")
    assert (
        app.post("/desk/save", headers=bea, json={"operations": [undo]}).json()["acks"][0]["status"]
        == "conflict"
    )
    with example_store.read() as connection:
        assert list(connection.scalars(sa.select(ANNOTATION.c.annotator))) == ["anna"]


Deed = Callable[[sa.Connection, Store], object]
ADJUDICATORS_DEEDS: dict[str, Deed] = {
    "see a case": lambda connection, store: case_of(connection, 1, "anna"),
    "settle": lambda connection, store: adjudicate(
        connection, "anna", findings=store.findings, op_id="operation-9", record_id=1, reason="why",
        labels=dict.fromkeys((COVID, *store.findings), "1"), base=Seen((), None), now=NOW,
    ),
    "withdraw": lambda connection, store: withdraw(
        connection, "anna", op_id="operation-9", record_id=1, base=Seen((), None), now=NOW
    ),
    "give roles": lambda connection, store: set_role(connection, actor="anna", name="anna", role="adjudicator"),
    "change the overlap": lambda connection, store: change_overlap(connection, "anna", 3, now=NOW),
    "decide proposals": lambda connection, store: decide_proposals(connection, "anna", [1], "taken", now=NOW),
    "change the lexicon": lambda connection, store: activate(connection, "anna", {}, "v", base="b", now=NOW),
    "rank suspects": lambda connection, store: apply_suspect_order(connection, store.findings, actor="anna", now=NOW),
}  # fmt: skip


@pytest.mark.parametrize("deed", ADJUDICATORS_DEEDS)
@pytest.mark.usefixtures("app")
def test_security_what_adjudicators_do_is_refused_to_annotators(deed: str, example_store: Store) -> None:
    with example_store.read() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(EVENT))
    with pytest.raises(StoreError, match="adjudicator"), example_store.write() as connection:
        ADJUDICATORS_DEEDS[deed](connection, example_store)
    with example_store.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(EVENT)) == before
        assert connection.scalar(sa.select(USER.c.role).where(USER.c.name == "anna")) == "annotator"


# What goes in and out


def test_security_image_links_open_one_record_and_end(
    app: TestClient, example_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = image_url(example_store, 1)
    path, signature = good.split("?signature=")
    assert app.get(good).status_code == 200
    ends, _, proof = signature.partition(".")
    later = f"{int(ends) + 3600}.{proof}"
    for wrong in (
        "",
        "x",
        signature[:-1],
        later,
        f"{signature}&thumbnail=0&signature=",
        "9" * 5000,
        "%00",
        "..%2f",
    ):
        assert app.get(f"{path}?signature={wrong}").status_code == 403
    assert app.get(f"/image/2?signature={signature}").status_code == 403
    now = time.time() + tokens.LINK_SECONDS + 2 * 3600
    monkeypatch.setattr(tokens.time, "time", lambda: now)
    assert app.get(good).status_code == 403


@pytest.mark.parametrize(
    "address",
    [
        "/image/../../etc/passwd",
        "/image/..%2f..%2fetc%2fpasswd",
        "/image/1/../../labels.db",
        "/image/%2e%2e/1",
        "/image/-1",
        "/image/1e3",
        "/image/1%00",
        "/desk/../labels.db",
        "//etc/passwd",
        "/image/file:///etc/passwd",
    ],
)
def test_security_no_address_leads_to_a_file(address: str, app: TestClient) -> None:
    answer = app.get(address)
    assert answer.status_code in (403, 404, 405)
    assert b"root:" not in answer.content and b"SQLite" not in answer.content


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"count": 1e999, "operations": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 3000,
    ],
)
def test_security_no_body_makes_the_server_fail(body: bytes, app: TestClient, example_store: Store) -> None:
    headers = bearer(issue_token(example_store.secret(), "anna"))
    for method, address in every_route(example_store):
        answer = app.request(method, address, headers=headers, content=body)
        well_formed = method == "GET" or body.startswith(b'{"count"')
        assert answer.status_code in range(200 if well_formed else 400, 500), address
        assert "Traceback" not in answer.text


def test_security_what_is_sent_is_limited_while_it_comes(app: TestClient, example_store: Store) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000_000

    headers = bearer(issue_token(example_store.secret(), "anna"))
    assert app.post("/desk/save", headers=headers, content=endless()).status_code == 413


def test_security_the_apps_own_settings_are_those_the_page_promises() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    server, client = settings["server"], settings["client"]
    assert server["address"] == "127.0.0.1" and server["maxUploadSize"] <= 200
    assert server.get("enableXsrfProtection", True) and server.get("enableCORS", True)
    assert client["showErrorDetails"] == "none" and not settings["browser"]["gatherUsageStats"]


def test_security_markup_leaves_the_server_as_data_only(app: TestClient, example_store: Store) -> None:
    """The desk writes text nodes only (``test_annotate_desk.py``, in a real browser); here: no HTML is sent."""
    headers = bearer(issue_token(example_store.secret(), "anna"))
    record = app.post("/desk/next", headers=headers, json={"count": 1}).json()["records"][0]
    script = "<script>alert(1)</script>"
    saved = app.post("/desk/save", headers=headers, json={"operations": [confirm(record, comment=script)]})
    seen = app.get(f"/desk/record/{record['id']}", headers=headers)
    for answer in (saved, seen, app.get(f"/desk/record/{script}", headers=headers)):
        assert answer.headers["content-type"].partition(";")[0] in ("application/json", "text/plain")
    image = app.get(image_url(example_store, 1))
    assert image.headers["content-security-policy"] == "default-src 'none'; sandbox"


# What leaks


def test_security_a_canary_in_a_caption_is_in_no_log_and_no_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The whole way, at the most talkative level, good rows and bad ones."""
    captions, labels, db = tmp_path / "captions.csv", tmp_path / "labels.csv", str(tmp_path / "labels.db")
    rows = [f'{number}.png,p{number},"{CANARY} consolidation {number}, none"' for number in range(20)]
    rows += [f"3.png,p3,{CANARY} again", f",p4,{CANARY}", f"a,b,c,{CANARY},e", f'x.png,p,"{CANARY}']
    captions.write_text("\n".join(["image,patient_id,caption", *rows]) + "\n")
    (tmp_path / "images").mkdir()
    with caplog.at_level(logging.DEBUG):
        assert extract_main([str(captions), "-o", str(labels), "--debug"]) == DONE
        mentions = ["--mentions", str(tmp_path / "mentions.csv"), "--images", str(tmp_path / "images")]
        load_main([str(labels), *mentions, "--db", db, "--debug"])  # images are missing: listed by name
        with closing(open_store(db)) as store:
            _desk_with_failures(store, labels)
        assert export_main(["--db", db, "-o", str(tmp_path / "labelled.csv"), "--debug"]) == DONE
        labels.write_bytes(labels.read_bytes().replace(b",auto,", b",perhaps,"))
        assert load_main([str(labels), *mentions, "--db", db, "--debug"]) != DONE
    shown = capfd.readouterr()
    assert CANARY not in shown.out + shown.err
    assert CANARY not in caplog.text
    assert CANARY in labels.read_text()


def _desk_with_failures(store: Store, labels: Path) -> None:
    """Fill the store past the missing images, then decide and break things."""
    from annotate.load import load

    load(store, labels)
    with store.write() as connection:
        add_user(connection, "anna")
    client = TestClient(Starlette(routes=desk_routes(lambda: store)), raise_server_exceptions=False)
    headers = bearer(issue_token(store.secret(), "anna"))
    record = client.post("/desk/next", headers=headers, json={"count": 1}).json()["records"][0]
    for changes in ({}, {"labels": {"x": CANARY}}, {"op_id": "operation-2", "comment": f"{CANARY}\ud83d"}):
        content = json.dumps({"operations": [confirm(record, **changes)]})
        client.post("/desk/save", headers=headers, content=content)


def test_security_page_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8")))
    defined = {
        name
        for path in (ROOT / "tests").glob("test_*.py")
        for name in (
            path.stem,
            *re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE),
        )
    }
    assert len(named) >= 20
    assert not named - defined, sorted(named - defined)
