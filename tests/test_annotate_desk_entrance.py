"""Ways to the desk: links, narrow windows, no other machine, and names from a proxy or a login."""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from annotate.store import Store, open_store
from benchmarks.desk_browser import Server, at_rest, free_port, open_desk, serving
from tests.desk_tools import PATIENCE, all_saved, decisions, leave, needs_chromium, record_id
from tests.oidc_provider import Provider, providing

pytestmark = needs_chromium


def test_desk_opens_deep_links_and_narrow_windows(
    server: Server, browser: Browser, desk_store: Store
) -> None:
    wanted = record_id(desk_store, "fig06.jpg")
    page = open_desk(browser, server, "links", record=str(wanted), view={"width": 720, "height": 450})
    page.wait_for_selector(f".desk[data-record='{wanted}']")
    assert page.evaluate("document.querySelector('.desk').classList.contains('narrow')")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    buttons = page.locator(".decisions .buttons").bounding_box()  # in sight beside the image
    assert buttons is not None and buttons["y"] + buttons["height"] <= 451
    leave(page)


def test_desk_asks_no_other_machine(server: Server, browser: Browser) -> None:
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}/annotate?user=offline")
    at_rest(page)
    page.keyboard.press("a")
    all_saved(page)
    page.wait_for_timeout(500)
    assert [url for url in asked if not url.startswith((server.url, "blob:", "data:"))] == []
    leave(page)


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that signs everybody in: it puts a header into the first request of every connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, header: str) -> None:
        self.target, self.header = port, header
        super().__init__(("127.0.0.1", 0), ProxyConnection)


class ProxyConnection(socketserver.BaseRequestHandler):
    """Bytes both ways until one side has enough."""

    server: Proxy

    def handle(self) -> None:
        head, _, rest = self.request.recv(65536).partition(b"\r\n")
        with socket.create_connection(("127.0.0.1", self.server.target)) as app:
            app.sendall(head + b"\r\n" + self.server.header.encode() + b"\r\n" + rest)
            threading.Thread(target=self.copy, args=(app, self.request), daemon=True).start()
            self.copy(self.request, app)

    @staticmethod
    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_RDWR)


def test_desk_takes_the_name_from_a_proxy(example_sqlite: Path, browser: Browser, tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(example_sqlite, tmp_path / 'labels.db')}"
    arguments = ("--user-header", "X-Forwarded-User")
    with serving(url, tmp_path / "log", arguments=arguments) as server, closing(open_store(url)) as store:
        with Proxy(server.port, "X-Forwarded-User: doctor@example.org") as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            page = browser.new_context().new_page()
            page.goto(f"http://127.0.0.1:{proxy.server_address[1]}/annotate?user=somebody+else")
            at_rest(page)
            page.keyboard.press("a")
            all_saved(page)
            leave(page)
            proxy.shutdown()
        assert len(decisions(store, "doctor@example.org")) == 1


PEOPLE = {
    "Anna": {"sub": "248289", "email": "anna@example.org", "email_verified": True},
    "Mallory": {"sub": "666", "email": "anna@example.org", "email_verified": False},
    "Forger": {"sub": "248289", "email": "anna@example.org", "email_verified": True},
}


@pytest.fixture(scope="module")
def signed_in(example_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app behind a login with a provider of OpenID Connect."""
    folder, port = tmp_path_factory.mktemp("oidc"), free_port()
    url = f"sqlite:///{shutil.copy(example_sqlite, folder / 'labels.db')}"
    with providing(Provider(PEOPLE, forgers=frozenset({"Forger"}))) as provider:
        secrets = folder / "secrets.toml"
        secrets.write_text(
            f"""[auth]
            redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
            cookie_secret = "{provider.secret[::-1]}"
            client_id = "{provider.client}"
            client_secret = "{provider.secret}"
            server_metadata_url = "{provider.url}/.well-known/openid-configuration"
            """
        )
        with serving(url, folder / "log", options=("--secrets.files", str(secrets)), port=port) as server:
            yield server


def sign_in(page: Page, server: Server, person: str, path: str = "/annotate?user=somebody+else") -> None:
    page.goto(server.url + path)
    page.get_by_role("button", name="Sign in").click(timeout=PATIENCE * 1000)
    page.get_by_role("button", name=person).click(timeout=PATIENCE * 1000)
    page.wait_for_url(f"{server.url}/**", timeout=PATIENCE * 1000)


def test_desk_takes_the_name_from_a_login_and_forgets_it_at_the_way_out(
    signed_in: Server, browser: Browser
) -> None:
    page = browser.new_context().new_page()
    sign_in(page, signed_in, "Anna")
    at_rest(page)
    page.goto(f"{signed_in.url}/annotate?user=somebody+else")
    at_rest(page)
    page.keyboard.press("a")
    all_saved(page)
    page.get_by_role("button", name="You").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for(timeout=PATIENCE * 1000)
    assert page.locator(".desk").count() == 0
    leave(page)
    with closing(open_store(signed_in.database)) as store:
        assert len(decisions(store, "anna@example.org")) == 1
        assert decisions(store, "somebody else") == []


def test_desk_opens_a_deep_link_over_a_login_once(signed_in: Server, browser: Browser) -> None:
    with closing(open_store(signed_in.database)) as store:
        wanted = record_id(store, "fig06.jpg")
    page = browser.new_context().new_page()
    sign_in(page, signed_in, "Anna", path=f"/annotate?record={wanted}")
    page.wait_for_selector(f".desk[data-record='{wanted}']", timeout=PATIENCE * 1000)
    page.goto(f"{signed_in.url}/progress")
    page.get_by_text("finish").first.wait_for(timeout=PATIENCE * 1000)
    assert page.url.startswith(f"{signed_in.url}/progress")
    leave(page)


def test_desk_takes_no_address_that_nobody_verified_and_no_forged_token(
    signed_in: Server, browser: Browser
) -> None:
    page = browser.new_context().new_page()
    sign_in(page, signed_in, "Mallory")
    at_rest(page)
    page.get_by_role("button", name="You").click()
    page.get_by_text("666, ").wait_for()
    leave(page)
    page = browser.new_context().new_page()
    sign_in(page, signed_in, "Forger")
    page.get_by_role("button", name="Sign in").wait_for(timeout=PATIENCE * 1000)
    assert page.locator(".desk").count() == 0
    leave(page)
