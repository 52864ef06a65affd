"""`Issuer`: an identity provider of tests, with its public keys on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "http://issuer.example"
AUDIENCE = "autogen"


class Issuer:
    """Signs tokens, and tells its keys at `url`."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.n_asked = 0
        self.answer: bytes | None = None
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.n_asked += 1
                body = issuer.keys if issuer.answer is None else issuer.answer
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    @property
    def keys(self) -> bytes:
        told = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**told, "kid": "k", "use": "sig", "alg": "RS256"}]}).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        told = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "scope": "runs:read runs:write"}
        return {k: v for k, v in {**told, "exp": now + 600, **more}.items() if v is not None}

    def token(self, *, key: Any = None, alg: str = "RS256", kid: str = "k", **more: Any) -> str:
        return jwt.encode(self.claims(**more), key or self.key, algorithm=alg, headers={"kid": kid})

    def unsigned(self) -> str:
        return _parts({"alg": "none", "typ": "JWT", "kid": "k"}, self.claims()) + "."

    def mixed_up(self, alg: str = "HS256") -> str:
        """Signed with the public key as if that were a secret, which anybody can do."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        text = _parts({"alg": alg, "typ": "JWT", "kid": "k"}, self.claims())
        return f"{text}.{_b64(hmac.digest(public, text.encode(), hashlib.sha256))}"


def _parts(*values: dict[str, Any]) -> str:
    return ".".join(_b64(json.dumps(value).encode()) for value in values)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
