"""Who is calling: an API key or a JSON Web Token names a principal, or the call is refused.

No token, and nothing of one that was refused, is ever logged or told.
"""

import asyncio
import base64
import binascii
import contextvars
import hashlib
import hmac
import logging
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from qwen3_tts.server.access.jwt_auth import JwtVerifier
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.settings_values import DEFAULT_PORTS, is_loopback, normal_origin

logger = logging.getLogger(__name__)

SUBPROTOCOL = "qwen3-tts"  # what a WebSocket client offers beside its token, and we accept
TOKEN_SUBPROTOCOL = "token."
CHECKERS = 4  # tokens checked at a time, where an issuer may have to be asked
LONGEST_TOKEN = 16_384  # characters
HOW = "send it as `Authorization: Bearer <key>`, or as `authToken` in a WebSocket's start message"


@dataclass(frozen=True)
class Principal:
    """`id` is safe to log and to store: "anonymous", "key:<hash>" or "jwt:<subject>"."""

    id: str
    authenticated: bool


ANONYMOUS = Principal("anonymous", authenticated=False)


class Authenticator:
    """Knows the keys. `required` is False only where no key and no token issuer is set."""

    def __init__(self, settings: ServerSettings):
        keys = {key.get_secret_value() for key in settings.all_keys()}
        self._digests = [hashlib.sha256(key.encode()).digest() for key in sorted(keys)]
        self._jwt = JwtVerifier(settings) if settings.uses_jwt else None
        # their own, so that tokens whose issuer is slow take no thread from those who speak
        self._checkers = ThreadPoolExecutor(CHECKERS, "token check")
        self.required = settings.needs_key

    def identify(self, token: str | None) -> Principal:
        """The principal of `token`, or Fault UNAUTHORIZED. May wait for an issuer's keys.

        Where nothing is set up to check a token, it is ignored.
        """
        if not self.required:
            return ANONYMOUS
        if not token:
            raise Fault(FaultCode.UNAUTHORIZED, f"an API key is needed; {HOW}")
        if len(token) > LONGEST_TOKEN:
            raise Fault(FaultCode.UNAUTHORIZED, f"a token has at most {LONGEST_TOKEN} characters")
        principal = self._by_key(token) or self._by_jwt(token)
        if principal is None:
            raise Fault(FaultCode.UNAUTHORIZED, f"the API key or token is not valid; {HOW}")
        return principal

    async def identify_async(self, token: str | None) -> Principal:
        """`identify` for an event loop, which goes on while an issuer's keys are fetched."""
        if self._jwt is None or not self._jwt.may_wait or (token and self._by_key(token)):
            return self.identify(token)
        context, loop = contextvars.copy_context(), asyncio.get_running_loop()
        return await loop.run_in_executor(self._checkers, context.run, self.identify, token)

    def _by_key(self, token: str) -> Principal | None:
        """Compares with every key, so that time tells nothing about which one was near."""
        given = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = None
        for digest in self._digests:
            if hmac.compare_digest(digest, given):
                found = Principal(f"key:{digest.hex()[:8]}", authenticated=True)
        return found

    def _by_jwt(self, token: str) -> Principal | None:
        if self._jwt is None or token.count(".") != 2 or not token.isascii():
            return None
        return Principal(f"jwt:{self._jwt.subject(token)}", authenticated=True)


def token_of(headers: Mapping[str, str]) -> str | None:
    """The token that a request brings; `headers` answers to lower-case names.

    `Authorization: Bearer x` or `Token x`, `x-api-key`, `xi-api-key`, or a WebSocket subprotocol.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() in ("bearer", "token") and token.strip():
        return token.strip()
    for name in ("x-api-key", "xi-api-key"):
        if token := headers.get(name, "").strip():
            return token
    return token_of_subprotocols(headers.get("sec-websocket-protocol", "").split(","))


def token_of_subprotocols(offered: Iterable[str]) -> str | None:
    """The token in ["qwen3-tts", "token.<base64url of the token>"]; None where it is damaged.

    Browsers can set no header on a WebSocket. The part with the token must not be accepted, as
    the server's answer would repeat it: accept `SUBPROTOCOL`.
    """
    for part in offered:
        text = part.strip()
        if not text.startswith(TOKEN_SUBPROTOCOL) or len(text) > 2 * LONGEST_TOKEN:
            continue
        code = text.removeprefix(TOKEN_SUBPROTOCOL).rstrip("=")
        if not re.fullmatch(r"[\w-]+", code, re.ASCII):
            continue
        try:
            return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
    return None


def accepted_subprotocol(offered: Iterable[str]) -> str | None:
    """What to answer to the subprotocols a client offers: ours, or none."""
    return SUBPROTOCOL if SUBPROTOCOL in [part.strip() for part in offered] else None


def origin_allowed(origin: str | None, host: str | None, settings: ServerSettings) -> bool:
    """Whether the page that opens a WebSocket may: our own, one that is listed, or no page.

    `origin` and `host` are the request's headers. Programs send no Origin.
    """
    if origin is None:
        return True
    normal = normal_origin(origin)
    if normal is None:  # "null" of a sandboxed page too
        return False
    if "*" in settings.allowed_origins or normal in settings.allowed_origins:
        return True
    scheme = normal.partition("://")[0]
    if host is None or scheme not in DEFAULT_PORTS:
        return False
    return normal_origin(f"{scheme}://{host}") == normal


def host_allowed(host: str | None, settings: ServerSettings) -> bool:
    """Whether a server of this machine alone, open without a key, was called by its own name.

    A page elsewhere can point its own host name at 127.0.0.1 and so pass for the same origin;
    the Host header then holds its name. With a key, or on a network, any name will do.
    """
    if settings.needs_key or not is_loopback(settings.host):
        return True
    if host is None:
        return False
    normal = normal_origin(f"http://{host}")
    if normal is None:
        return False
    name = re.sub(r":\d+$", "", normal.removeprefix("http://"))
    listed = (origin.partition("://")[2] for origin in settings.allowed_origins)
    return is_loopback(name) or normal.removeprefix("http://") in listed
