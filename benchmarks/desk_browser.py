"""The app in a process of its own and a real browser before it: for the desk's benchmark, tests and pictures."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import ROOT
from nlp.errors import ToolkitError

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEW = {"width": 1440, "height": 900}
AT_REST = """() => {
    const desk = document.querySelector('.desk-mount')?.desk;
    if (!desk?.current || desk.fetching || desk.stage.element.dataset.image === 'loading') return false;
    return [...desk.shelf.images.values()].every((image) => image.ready);
}"""
_START_SECONDS = 60.0


@dataclass
class Server:
    """A running app; ``stop`` and ``start`` keep address and database. ``options`` are those of Streamlit."""

    url: str
    port: int
    database: str
    images: Path | None
    log: Path
    arguments: Sequence[str] = ()
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the app and wait until it answers."""
        command = [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            "app_streamlit.py",
            "--server.port",
            str(self.port),
        ]
        command += [*self.options, "--", "--db", self.database]
        command += ["--images", str(self.images)] if self.images else []
        command += self.arguments
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=_environment())
        self._wait()

    def stop(self, *, kill: bool = False) -> None:
        """End the app; ``kill`` gives it no chance to tidy up."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(20)
            self.process = None

    def megabytes(self) -> float:
        """Memory the server holds now (resident set)."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2)
                return
            time.sleep(0.05)
        raise ToolkitError(f"the app did not start; see {self.log}")


@contextlib.contextmanager
def serving(
    database: str,
    log: Path,
    *,
    images: Path | None = None,
    arguments: Sequence[str] = (),
    options: Sequence[str] = (),
    port: int | None = None,
) -> Iterator[Server]:
    """The app on a port of this machine (None: a free one); ``arguments`` go to the app, ``options`` to Streamlit."""
    port = port or free_port()
    server = Server(f"http://127.0.0.1:{port}", port, database, images, log, arguments, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium.

    Raises:
        ToolkitError: there is none.
    """
    program = chromium_program()
    if program is None:
        raise ToolkitError("Chromium is not installed here (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def chromium_program() -> str | None:
    """The path of Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def open_desk(
    browser: Browser,
    server: Server,
    user: str,
    *,
    dark: bool = False,
    view: dict[str, int] | None = None,
    **query: str,
) -> Page:
    """A fresh browser profile on the Annotate page, at rest."""
    scheme = "dark" if dark else "light"
    page = browser.new_context(viewport=view or VIEW, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    page.goto(desk_url(server, user, **query))
    at_rest(page)
    return page


def at_rest(page: Page) -> None:
    """Wait until a record is on screen and its image and those to come are there, or known to be missing."""
    page.wait_for_function(AT_REST, timeout=60_000)


def desk_url(server: Server, user: str, **query: str) -> str:
    """The address of the Annotate page with a typed name."""
    return f"{server.url}/annotate?{urllib.parse.urlencode({'user': user, **query})}"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _environment() -> dict[str, str]:
    """Nothing of the caller's own app settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LESION_LABELS")}
    return {**kept, "PYTHONUNBUFFERED": "1"}
