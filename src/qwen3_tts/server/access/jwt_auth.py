"""Checks JSON Web Tokens against one configured key, or the keys an issuer publishes.

Which algorithms count follows from the kind of key that was configured, never from the token:
a shared secret means HS*, a public key means the one algorithm of its kind.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import HS_ALGORITHMS, KEY_ALGORITHMS, ServerSettings

logger = logging.getLogger(__name__)

LEEWAY_S = 30  # how far clocks may differ
FETCH_TIMEOUT_S = 5.0
FETCH_PAUSE_S = 10.0  # after a failed fetch, so that a flood of tokens does not become ours
KEYS_LAST_S = 300.0
LONGEST_SUBJECT = 128  # characters
LONGEST_KEY_ID = 256
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
# what a hostile token can raise: an `exp` beyond all numbers, lists nested a thousand deep
WRONG = (
    jwt.PyJWTError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)
# what a broken issuer can cause: no answer, half of one, or no JSON
UNREADABLE = (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, OSError, ValueError)


class JwtVerifier:
    """`subject` is the one question; `may_wait` tells that it may go over the network."""

    def __init__(self, settings: ServerSettings):
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._secret = settings.jwt_secret
        self._key: PublicKey | None = None
        self._issuer_keys: IssuerKeys | None = None
        suited: tuple[str, ...] = HS_ALGORITHMS
        if settings.jwt_public_key_file is not None:
            self._key, algorithm = read_public_key(settings.jwt_public_key_file)
            suited = (algorithm,)
        elif settings.jwt_jwks_url is not None:
            self._issuer_keys = IssuerKeys(settings.jwt_jwks_url)
            suited = KEY_ALGORITHMS
        chosen = settings.jwt_algorithms or suited
        self._algorithms = [name for name in suited if name in chosen]
        if not self._algorithms:
            raise InvalidRequest(
                f"setting `jwt_algorithms` is {settings.jwt_algorithms}: "
                f"the public key is one for {suited[0]}"
            )
        self.may_wait = self._issuer_keys is not None

    def subject(self, token: str) -> str:
        """Who the token was issued to; Fault UNAUTHORIZED where anything about it is wrong."""
        try:
            claims = self._claims(token)
        except jwt.ExpiredSignatureError:
            raise Fault(FaultCode.UNAUTHORIZED, "the token has expired; get a new one") from None
        except WRONG as error:  # not its message: that may repeat parts of the token
            logger.info("refused a token: %s", type(error).__name__)
            raise Fault(FaultCode.UNAUTHORIZED, "the token is not valid") from None
        subject: str = claims["sub"]
        if not subject.isprintable() or not 1 <= len(subject.strip()) <= LONGEST_SUBJECT:
            raise Fault(
                FaultCode.UNAUTHORIZED,
                f"the token's `sub` should be 1 to {LONGEST_SUBJECT} printable characters",
            )
        return subject

    def _claims(self, token: str) -> dict[str, Any]:
        """Claims of a token whose signature, times, audience and issuer are right."""
        return jwt.decode(
            token,
            key=self._key_for(token),
            algorithms=self._algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={
                "require": ["exp", "sub"],
                "verify_aud": self._audience is not None,
                "verify_iss": self._issuer is not None,
                "enforce_minimum_key_length": True,
            },
        )

    def _key_for(self, token: str) -> str | PublicKey | jwt.PyJWK:
        if self._secret is not None:
            return self._secret.get_secret_value()
        if self._issuer_keys is None:
            assert self._key is not None
            return self._key
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in self._algorithms:  # before any fetch
            raise jwt.InvalidAlgorithmError("not an algorithm of the issuer")
        return self._issuer_keys.find(header.get("kid"))


class IssuerKeys:
    """The public keys at one fixed URL, fetched when first needed and kept for a while."""

    def __init__(self, url: str):
        self._client = jwt.PyJWKClient(url, timeout=FETCH_TIMEOUT_S, lifespan=KEYS_LAST_S)
        self._lock = threading.Lock()
        self._closed_until = float("-inf")

    def find(self, key_id: object) -> jwt.PyJWK:
        """The key of that id, which is only ever compared with the ids that were fetched."""
        if not isinstance(key_id, str) or not 1 <= len(key_id) <= LONGEST_KEY_ID:
            raise jwt.InvalidTokenError("no usable key id")
        with self._lock:
            if time.monotonic() < self._closed_until:
                raise _unreachable()
            try:
                return self._client.get_signing_key(key_id)
            except UNREADABLE:
                self._closed_until = time.monotonic() + FETCH_PAUSE_S
                logger.warning("the keys of the tokens' issuer cannot be fetched")
                raise _unreachable() from None


def _unreachable() -> Fault:
    return Fault(
        FaultCode.UNAUTHORIZED,
        "tokens cannot be checked at the moment, as their issuer does not answer; try again soon",
        retry_after_s=FETCH_PAUSE_S,
        recoverable=True,
    )


def read_public_key(path: Path) -> tuple[PublicKey, str]:
    """A PEM public key and the algorithm of its kind."""
    where = f"setting `jwt_public_key_file` is {str(path)!a}"
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{where}: cannot be read: {error.strerror}") from None
    except ValueError:  # the text may be a private key
        raise InvalidRequest(f"{where}: should hold a PEM public key and nothing else") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return key, "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key, "ES256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key, "EdDSA"
    raise InvalidRequest(f"{where}: should be RSA of at least 2048 bits, P-256 or Ed25519")
