"""A real PostgreSQL on loopback for the time of a block, from the programs of the system package."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import sqlalchemy as sa

PASSWORDLESS = "postgresql+psycopg://labels@127.0.0.1:{port}/postgres"
_ACCOUNTS = ("postgres", "nobody")
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_STARTS_WITHIN = 60.0


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``, or None where PostgreSQL is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    folders = [*installed, *([Path(found).resolve().parent] if found else [])]
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@contextlib.contextmanager
def running(folder: Path, *, quick: bool = True) -> Iterator[str]:
    """The URL of a new server's database; ``quick`` skips what guards against power failure."""
    data = Path(tempfile.mkdtemp(prefix="lesion-labels-postgres-"))
    account = _account(data)
    try:
        _run(folder, data, account)
        port = _free_port()
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={port}",
            "unix_socket_directories=",
            "max_connections=60",
        ]
        options = [part for setting in (*settings, *(_QUICK if quick else ())) for part in ("-c", setting)]
        with (data / "log").open("wb") as log:
            server = subprocess.Popen(
                [folder / "postgres", "-D", data / "cluster", *options], stdout=log, stderr=log, **account
            )
            try:
                _wait(port, server, data / "log")
                yield PASSWORDLESS.format(port=port)
            finally:
                server.send_signal(signal.SIGINT)  # fast: open connections are cut
                server.wait(30)
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextlib.contextmanager
def fresh_database(server: str, template: str = "template0") -> Iterator[str]:
    """The URL of a new database on a server, a copy of the template; gone after the block."""
    name = f"test_{uuid.uuid4().hex}"
    address = sa.make_url(server)
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
            yield address.set(database=name).render_as_string()
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        engine.dispose()


def _account(data: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root: another account then owns the folder."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    owner = pwd.getpwnam(next(name for name in _ACCOUNTS if name in names))
    os.chown(data, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": [], "cwd": data}


def _run(folder: Path, data: Path, account: dict[str, object]) -> None:
    command = [folder / "initdb", "-D", data / "cluster", "-U", "labels", "-A", "trust", "-E", "UTF8"]
    done = subprocess.run(
        [*command, "--locale=C.UTF-8", "--no-sync"],
        capture_output=True,
        text=True,
        **account,  # type: ignore[call-overload]
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < end and server.poll() is None:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="labels", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise RuntimeError(f"postgres did not start: {log.read_text()[-1000:]}")
