"""The example set in the labelling app: ``python -m examples.open_app [--db FILE] [--port N] [--headless]``.

The captions are read, the records loaded, and the app is opened on this machine until Ctrl-C. With ``--headless``, or
where nobody sits at a terminal, the app is started, asked whether it is well, and ended.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from annotate.example import FOLDER, load_example
from annotate.store import open_store
from nlp.command import run_command
from nlp.errors import ToolkitError

ROOT = FOLDER.parent
START_SECONDS = 60
HEALTH = "_stcore/health"


def open_example(database: Path, port: int, *, headless: bool) -> None:
    """Load the example into a database and show it.

    Raises:
        ToolkitError: the database cannot be used, or the app does not start.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    store = open_store(str(database))
    count = load_example(store)
    store.close()
    print(f"{count} example records in {database}")
    address = f"http://127.0.0.1:{port}/"
    with _served(database, port) as server:
        _wait(address, server)
        if headless:
            print(f"the app answers at {address}; it was ended, as nobody is at a terminal")
            return
        print(f"open {address} in a browser; Ctrl-C ends the app", flush=True)
        server.wait()


@contextmanager
def _served(database: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "streamlit", "run", "app_streamlit.py", "--server.port", str(port)]
    words = ["--", "--db", str(database.resolve()), "--images", str(FOLDER / "images")]
    server = subprocess.Popen([*command, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address + HEALTH, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise ToolkitError(f"the app did not start at {address}; is the port taken? Choose another with --port")


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def _command(options: argparse.Namespace) -> None:
    headless = options.headless or not sys.stdout.isatty()
    open_example(options.db, options.port or _free_port(), headless=headless)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.open_app", description=__doc__)
    parser.add_argument(
        "--db", type=Path, default=Path("out/labels.db"), help="database file (out/labels.db)"
    )
    parser.add_argument("--port", type=int, default=0, help="of the app (a free one)")
    parser.add_argument("--headless", action="store_true", help="start, look whether it answers, and end")
    return run_command(parser, _command, arguments)


if __name__ == "__main__":
    sys.exit(main())
