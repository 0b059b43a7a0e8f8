"""A small OpenID Connect provider on this machine: discovery, consent page, code with PKCE, signed token, keys."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"


@dataclass
class Provider:
    """People by the words of their button, each with claims; ``forgers`` get tokens of a key that is not published."""

    people: Mapping[str, Mapping[str, Any]]
    forgers: frozenset[str] = frozenset()
    client: str = "lesion-labels"
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"use": "sig", "kid": "ours"}))
    other_key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, {"use": "sig", "kid": "ours"})
    )
    codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    url: str = ""

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "code_challenge_methods_supported": ["S256"],
        }

    def page(self, asked: Mapping[str, str]) -> str:
        """One button for each person."""
        links = (
            f'<a role="button" href="/consent?{urlencode({**asked, "person": name})}">{name}</a>'
            for name in self.people
        )
        return f"<title>Provider</title>{' '.join(links)}"

    def consent(self, asked: Mapping[str, str]) -> str:
        """Where the browser goes on, with a code that works once."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = (asked["person"], dict(asked))
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: Mapping[str, str], basic: str) -> dict[str, Any] | None:
        """What a code is worth; None where client, code, address or verifier are wrong."""
        person, asked = self.codes.pop(given.get("code", ""), ("", {}))
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proved = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked.get("code_challenge")
        known = base64.b64encode(f"{self.client}:{self.secret}".encode()).decode() == basic
        if not (person and proved and known and given.get("redirect_uri") == asked["redirect_uri"]):
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.client, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        signer = self.other_key if person in self.forgers else self.key
        signed = jwt.encode({"alg": ALGORITHM, "kid": "ours"}, {**claims, **self.people[person]}, signer)
        return {"access_token": "none", "token_type": "Bearer", "expires_in": 300, "id_token": signed}


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, provider: Provider, *rest: Any) -> None:
        self.provider = provider
        super().__init__(*rest)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = dict(parse_qsl(parts.query))
        match parts.path:
            case "/.well-known/openid-configuration":
                self._json(self.provider.discovery())
            case "/jwks":
                self._json({"keys": [self.provider.key.as_dict(private=False)]})
            case "/authorize" if asked.get("client_id") == self.provider.client:
                self._send(200, self.provider.page(asked).encode(), "text/html")
            case "/consent":
                self.send_response(302)
                self.send_header("Location", self.provider.consent(asked))
                self.end_headers()
            case _:
                self._json({"error": "invalid_request"}, 400)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        answer = self.provider.token(given, self.headers.get("Authorization", "").removeprefix("Basic "))
        self._json(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def _json(self, answer: Mapping[str, Any], status: int = 200) -> None:
        self._send(status, json.dumps(answer).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@contextmanager
def providing(provider: Provider) -> Iterator[Provider]:
    """The provider on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, provider)) as server:
        provider.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield provider
        server.shutdown()
