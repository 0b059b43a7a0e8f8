"""What the browser shows to be let in: a token for the desk's requests, and signed links to images.

Both are signed with the secret of the database, so that they outlive a restart of the server. A token travels
in a header, which no other site can make a browser send; a link names one record and ends by itself.
"""

from __future__ import annotations

import hashlib
import math
import time

from itsdangerous import BadData, Signer, URLSafeTimedSerializer

TOKEN_SECONDS = 12 * 3600
LINK_SECONDS = 12 * 3600
_STEP = 3600
"""Links made within an hour are the same, so that the browser's cache finds the image again."""


def issue_token(secret: bytes, name: str) -> str:
    """A token that says who the annotator is, good for ``TOKEN_SECONDS``."""
    return str(_tokens(secret).dumps(name))


def name_in_token(secret: bytes, token: str) -> str | None:
    """The annotator's name; None if the token is not ours, was altered or is too old."""
    try:
        name = _tokens(secret).loads(token, max_age=TOKEN_SECONDS)
    except BadData:
        return None
    return name if isinstance(name, str) else None


def sign_link(secret: bytes, record_id: int, *, now: float | None = None) -> str:
    """What the ``signature`` of an image link holds: the end of its life and the proof."""
    ends = math.ceil((time.time() if now is None else now) / _STEP) * _STEP + LINK_SECONDS
    signed = _links(secret).sign(f"{record_id}.{ends}").decode()
    return signed.removeprefix(f"{record_id}.")


def link_is_good(secret: bytes, record_id: int, signature: str, *, now: float | None = None) -> bool:
    """Whether a signature is ours, belongs to this record and has not ended."""
    try:
        value = _links(secret).unsign(f"{record_id}.{signature}".encode()).decode()
    except (BadData, UnicodeError):
        return False
    return float(value.rpartition(".")[2]) >= (time.time() if now is None else now)


def _tokens(secret: bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secret, salt="desk token", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    )


def _links(secret: bytes) -> Signer:
    return Signer(secret, salt=b"image link", digest_method=hashlib.sha256, key_derivation="hmac")
