"""The secret behind made-up patient names: the same key gives a patient the same name, without it nobody can tell."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from nlp.errors import InputError
from nlp.write import writing

_BYTES = 32


def patient_key(file: Path | None) -> bytes:
    """The key in a file, which is made if it is not there; None: a new key, so that names hold for one output only.

    Raises:
        InputError: the file holds something else, or cannot be read.
        OutputError: it cannot be made.
    """
    if file is None:
        return secrets.token_bytes(_BYTES)
    if not file.exists():
        with writing(file):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as made:
                made.write(secrets.token_hex(_BYTES))
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        key = b""
    if len(key) != _BYTES:
        raise InputError(f"{file} holds no patient key: name a file that is not there, and one will be made")
    return key
