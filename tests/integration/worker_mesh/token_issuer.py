"""A gateway, as far as the mesh knows it: signs tokens, and serves its public keys over real HTTP."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.clock import SystemClock

LIFE_S = 600


@dataclass(slots=True)
class TokenIssuer:
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=lambda: {"k1": Ed25519PrivateKey.generate()})
    served: int = 0
    away: bool = False
    url: str = ""

    def token(self, org: str = "org_a", *, kid: str = "k1", ttl: float = LIFE_S, **changes: object) -> str:
        """`changes` replace claims; a claim set to None is left out."""
        now = int(SystemClock().now())
        claims: dict[str, object] = {
            "sub": "user_1",
            "orgId": org,
            "iss": "apigate",
            "aud": "hoster",
            "iat": now,
            "exp": now + ttl,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.keys[kid], algorithm="EdDSA", headers={"kid": kid})

    def key_set(self) -> dict[str, Any]:
        return {"keys": [{**_public(key), "kid": kid} for kid, key in self.keys.items()]}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The address of the key set."""

        async def keys(_request: web.Request) -> web.Response:
            self.served += 1
            return web.Response(status=503) if self.away else web.json_response(self.key_set())

        app = web.Application()
        app.router.add_get("/.well-known/jwks.json", keys)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/.well-known/jwks.json"
        await runner.cleanup()


def unsigned(claims: dict[str, object]) -> str:
    """`alg: none`, as an attacker would write it."""
    head = {"alg": "none", "kid": "k1", "typ": "JWT"}
    return ".".join((_b64(json.dumps(head).encode()), _b64(json.dumps(claims).encode()), ""))


def _public(key: Ed25519PrivateKey) -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "x": _b64(key.public_key().public_bytes_raw()),
    }


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
