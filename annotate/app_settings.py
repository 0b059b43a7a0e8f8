"""Where the app finds its database and images: the words after ``--``, else the environment, else defaults.

``streamlit run app_streamlit.py -- --db URL --images DIR [--runs DIR] [--user-header NAME]``. Under another server (and in
tests) the environment speaks: ``LESION_LABELS_DB``, ``LESION_LABELS_IMAGES``, ``LESION_LABELS_RUNS``,
``LESION_LABELS_USER_HEADER``.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from annotate.store import DEFAULT_URL, Store, open_store

SCRIPT = "app_streamlit.py"


@dataclass(frozen=True)
class AppSettings:
    """What the app was started with.

    ``images`` None: the folder that the database remembers from loading. ``user_header``: the header in which
    a proxy says who is there; None means that names are typed, or come from OIDC. ``runs``: where trained runs lie.
    """

    url: str
    images: Path | None
    user_header: str | None
    runs: Path = Path("runs")


def settings(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> AppSettings:
    """The settings from the command line of the app and the environment."""
    found = os.environ if environment is None else environment
    images = found.get("LESION_LABELS_IMAGES")
    parser = argparse.ArgumentParser(prog=f"streamlit run {SCRIPT} --", description="The labelling app.")
    parser.add_argument(
        "--db",
        metavar="URL",
        default=found.get("LESION_LABELS_DB") or DEFAULT_URL,
        help=f"database of labels (default: {DEFAULT_URL})",
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        default=Path(images) if images else None,
        help="image folder (default: the one that was loaded)",
    )
    parser.add_argument(
        "--user-header",
        metavar="NAME",
        default=found.get("LESION_LABELS_USER_HEADER") or None,
        help="header in which a trusted proxy names the user, such as X-Forwarded-User",
    )
    parser.add_argument(
        "--runs",
        metavar="DIR",
        type=Path,
        default=Path(found.get("LESION_LABELS_RUNS") or "runs"),
        help="trained runs for the Diagnose page, or one of them (default: runs)",
    )
    options = parser.parse_args(_own_arguments() if arguments is None else arguments)
    return AppSettings(options.db, options.images, options.user_header, options.runs)


def store_of(url: str) -> Store:
    """The store of a database, opened once for the whole process: pages and routes share it.

    Raises:
        StoreError: the database cannot be opened, or is of another version.
    """
    with _LOCK:
        if url not in _STORES:
            _STORES[url] = open_store(url)
        return _STORES[url]


def app_store() -> Store:
    """The store that the app was started with."""
    return store_of(settings().url)


def image_folder(store: Store, chosen: Path | None = None) -> Path | None:
    """The folder of the images: the one asked for at the start, else the one that was loaded; None: neither."""
    return chosen or store.image_folder()


@lru_cache(maxsize=8)
def secret_of(store: Store) -> bytes:
    """What signs tokens and links; read once, since every image link needs it."""
    return store.secret()


def _own_arguments() -> list[str]:
    """The words after the script's name; under pytest or another server they are not ours to read."""
    return sys.argv[1:] if Path(sys.argv[0]).name == SCRIPT else []


_LOCK = threading.Lock()
_STORES: dict[str, Store] = {}
