"""Who gets in: keys, tokens made honestly and dishonestly, and pages that ask."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server.access import jwt_auth
from qwen3_tts.server.access.auth import (
    ANONYMOUS,
    SUBPROTOCOL,
    Authenticator,
    accepted_subprotocol,
    host_allowed,
    origin_allowed,
    token_of,
    token_of_subprotocols,
)
from qwen3_tts.server.access.jwt_auth import IssuerKeys
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings, load_settings

SECRET = "a secret of at least thirty-two bytes, for tests"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def claims(**changes: Any) -> dict[str, Any]:
    whole = {"sub": "ann", "exp": int(time.time()) + 600, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def pem(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public


def forged(header: Any, payload: Any, sign: Any = None) -> str:
    """A token of any header, which libraries refuse to make. `sign`: a key for HMAC-SHA256."""
    parts = [
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode())
        .rstrip(b"=")
        .decode()
        for part in (header, payload)
    ]
    signed = ".".join(parts)
    signature = hmac.digest(sign, signed.encode(), "sha256") if sign is not None else b""
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def authenticator(**given: Any) -> Authenticator:
    return Authenticator(load_settings(**given))


def refused(auth: Authenticator, token: str | None) -> Fault:
    with pytest.raises(Fault) as caught:
        auth.identify(token)
    assert caught.value.code is FaultCode.UNAUTHORIZED
    # a short one may be part of any sentence
    assert not token or len(token) < 8 or token not in caught.value.message
    return caught.value


# keys


def test_without_any_key_everyone_is_anonymous_whatever_they_bring() -> None:
    auth = authenticator()
    assert not auth.required
    for token in (None, "", "x", "\ud800", "a.b.c", "x" * 100_000):
        assert auth.identify(token) is ANONYMOUS
    assert ANONYMOUS.id == "anonymous"
    assert not ANONYMOUS.authenticated


def test_each_key_is_a_principal_named_by_its_hash() -> None:
    auth = authenticator(api_keys=["first-key", "second-key"])
    assert auth.required
    for key in ("first-key", "second-key"):
        principal = auth.identify(key)
        assert principal.id == "key:" + hashlib.sha256(key.encode()).hexdigest()[:8]
        assert principal.authenticated


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "first-ke",
        "first-keyy",
        "FIRST-KEY",
        " first-key",
        "first-key\0",
        "\ud800",
        "ключ",
        "first-key,second-key",
        hashlib.sha256(b"first-key").hexdigest(),
        "x" * 20_000,
        "a.b.c",
    ],
)
def test_wrong_keys_are_refused(token: str | None) -> None:
    refused(authenticator(api_keys=["first-key", "second-key"]), token)


def test_every_key_is_compared_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = authenticator(api_keys=["aaaa", "bbbb", "cccc"])
    compare, calls = hmac.compare_digest, []

    def counted(a: bytes, b: bytes) -> bool:
        calls.append(1)
        return compare(a, b)

    monkeypatch.setattr("qwen3_tts.server.access.auth.hmac.compare_digest", counted)
    for key in ("aaaa", "bbbb", "cccc"):
        auth.identify(key)
    refused(auth, "dddd")
    assert len(calls) == 4 * 3


@given(st.text(max_size=50).filter(lambda text: text != "the-key"))
def test_no_other_text_is_the_key(text: str) -> None:
    refused(authenticator(api_keys=["the-key"]), text or None)


# tokens


def test_a_token_of_a_shared_secret() -> None:
    auth = authenticator(jwt_secret=SECRET * 2)  # long enough for HS512
    for algorithm in ("HS256", "HS384", "HS512"):
        principal = auth.identify(jwt.encode(claims(), SECRET * 2, algorithm))
        assert (principal.id, principal.authenticated) == ("jwt:ann", True)


def test_keys_and_tokens_side_by_side() -> None:
    auth = authenticator(jwt_secret=SECRET, api_keys="a.b.c")
    assert auth.identify(jwt.encode(claims(), SECRET)).id == "jwt:ann"
    assert auth.identify("a.b.c").id.startswith("key:")
    refused(auth, "a.b.d")


DAY_S = 86_400  # these are made when tests are collected, minutes before they run


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": int(time.time()) - 31 - 60},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": [1]},
        {"exp": True},
        {"sub": None},
        {"sub": ""},
        {"sub": "  "},
        {"sub": 7},
        {"sub": ["ann"]},
        {"sub": {"a": 1}},
        {"sub": "a\nb"},
        {"sub": "a\u202eb"},
        {"sub": "x" * 129},
        {"nbf": int(time.time()) + DAY_S},
        {"iat": int(time.time()) + DAY_S},
        {"aud": "others"},
        {"aud": None},
        {"aud": ["others"]},
        {"iss": "others"},
        {"iss": None},
    ],
)
def test_tokens_with_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    auth = authenticator(jwt_secret=SECRET, jwt_audience="tts", jwt_issuer="us")
    good = claims(aud="tts", iss="us")
    assert auth.identify(jwt.encode(good, SECRET)).id == "jwt:ann"
    bad = {name: value for name, value in (good | changes).items() if value is not None}
    refused(auth, forged({"alg": "HS256", "typ": "JWT"}, bad, SECRET.encode()))


def test_clocks_may_differ_by_thirty_seconds() -> None:
    auth = authenticator(jwt_secret=SECRET)
    now = int(time.time())
    assert auth.identify(jwt.encode(claims(exp=now - 20), SECRET)).authenticated
    assert auth.identify(jwt.encode(claims(nbf=now + 20, iat=now + 20), SECRET)).authenticated
    assert "expired" in refused(auth, jwt.encode(claims(exp=now - 40), SECRET)).message


def test_an_audience_among_others_will_do() -> None:
    auth = authenticator(jwt_secret=SECRET, jwt_audience="tts")
    assert auth.identify(jwt.encode(claims(aud=["x", "tts"]), SECRET)).authenticated


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 0, ["HS256"], {}])
@pytest.mark.parametrize("sign", [None, b"", SECRET.encode()])
def test_unsigned_tokens_are_refused(alg: Any, sign: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(RSA_KEY))
    token = forged({"alg": alg, "typ": "JWT"}, claims(), sign)
    for auth in (
        authenticator(jwt_secret=SECRET),
        authenticator(jwt_public_key_file=tmp_path / "key.pem"),
    ):
        refused(auth, token)
    refused(authenticator(jwt_secret=SECRET), forged({"typ": "JWT"}, claims(), sign))


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")]
)
def test_a_token_of_a_public_key(key: Any, algorithm: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(key))
    auth = authenticator(jwt_public_key_file=tmp_path / "key.pem")
    assert auth.identify(jwt.encode(claims(), key, algorithm)).id == "jwt:ann"
    for other, its in ((OTHER_RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")):
        if other is not key:
            refused(auth, jwt.encode(claims(), other, its))
    for its in ("RS384", "RS512", "PS256"):  # the same key, but not what was configured
        refused(auth, jwt.encode(claims(), RSA_KEY, its))


def test_a_public_key_is_no_shared_secret(tmp_path: Path) -> None:
    """The classic: signed by HMAC with the public key's text, which everyone knows."""
    (tmp_path / "key.pem").write_bytes(pem(RSA_KEY))
    auth = authenticator(jwt_public_key_file=tmp_path / "key.pem")
    for secret in (pem(RSA_KEY), pem(RSA_KEY).strip()):
        for header in ({"alg": "HS256"}, {"alg": "RS256"}):
            refused(auth, forged(header, claims(), secret))


def test_a_token_of_a_private_key_is_no_match_for_a_secret() -> None:
    refused(authenticator(jwt_secret=SECRET), jwt.encode(claims(), RSA_KEY, "RS256"))


def test_algorithms_may_be_narrowed(tmp_path: Path) -> None:
    auth = authenticator(jwt_secret=SECRET * 2, jwt_algorithms="HS512")
    assert auth.identify(jwt.encode(claims(), SECRET * 2, "HS512")).authenticated
    refused(auth, jwt.encode(claims(), SECRET * 2, "HS256"))
    (tmp_path / "key.pem").write_bytes(pem(RSA_KEY))
    with pytest.raises(InvalidRequest, match="RS256"):
        authenticator(jwt_public_key_file=tmp_path / "key.pem", jwt_algorithms="ES256")


@pytest.mark.parametrize(
    "token",
    [
        "..",
        "a.b.c",
        "é.b.c",
        forged(b"{}", b"{}"),
        forged(b"[" * 5_000, b"{}"),
        forged(b'{"alg":"HS256","b64":false,"crit":["b64"]}', b""),
        forged({"alg": "HS256", "crit": ["x"], "x": 1}, claims(), SECRET.encode()),
        forged({"alg": "HS256"}, b"[" * 5_000, SECRET.encode()),
        forged({"alg": "HS256"}, b"null", SECRET.encode()),
        forged({"alg": "HS256"}, b"[]", SECRET.encode()),
        forged({"alg": "HS256"}, b"\xff", SECRET.encode()),
        forged({"alg": "HS256", "kid": 7}, claims(), SECRET.encode()),
        forged({"alg": "HS256"}, b'{"sub":"ann","exp":1e999}', SECRET.encode()),
        forged({"alg": "HS256"}, b'{"sub":"ann","exp":' + b"9" * 5000 + b"}", SECRET.encode()),
        forged({"alg": "HS256"}, claims(), b"wrong secret"),
        forged({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}, claims(), b"\0"),
        "x" * 16_385,
        jwt.encode(claims(pad="x" * 20_000), SECRET),
    ],
)
def test_odd_tokens_are_refused(token: str) -> None:
    refused(authenticator(jwt_secret=SECRET), token)


def test_one_changed_letter_is_noticed() -> None:
    auth, token = authenticator(jwt_secret=SECRET), jwt.encode(claims(), SECRET)
    for place in range(0, len(token) - 1, 7):  # the last letter has bits that mean nothing
        other = "A" if token[place] != "A" else "B"
        refused(auth, token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("kind", ["private", "rsa1024", "p384", "ed448", "text", "missing"])
def test_unfit_public_keys_are_refused(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    if kind == "private":
        file.write_bytes(
            EC_KEY.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    elif kind == "rsa1024":
        file.write_bytes(pem(rsa.generate_private_key(65537, 1024)))
    elif kind == "p384":
        file.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    elif kind == "text":
        file.write_text("hello")
    elif kind == "ed448":
        pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed448")
        from cryptography.hazmat.primitives.asymmetric import ed448

        file.write_bytes(pem(ed448.Ed448PrivateKey.generate()))
    with pytest.raises(InvalidRequest, match="jwt_public_key_file") as caught:
        authenticator(jwt_public_key_file=file)
    assert "PRIVATE" not in str(caught.value)


# tokens of an issuer that publishes its keys


class Issuer:
    """A web server that publishes `answer` and notes who asked for what."""

    def __init__(self) -> None:
        self.answer: bytes = b""
        self.status = 200
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(issuer.answer)))
                self.end_headers()
                self.wfile.write(issuer.answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def publish(self, *keys: dict[str, Any]) -> None:
        self.answer = json.dumps({"keys": keys}).encode()


def published(key: Any, algorithm: str, key_id: str, **more: Any) -> dict[str, Any]:
    to_jwk = jwt.get_algorithm_by_name(algorithm).to_jwk
    return {**json.loads(to_jwk(key.public_key())), "kid": key_id, **more}


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Issuer()
    made.publish(published(RSA_KEY, "RS256", "one"), published(EC_KEY, "ES256", "two"))
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_an_issuers_keys_are_fetched_once_and_late(issuer: Issuer) -> None:
    auth = authenticator(jwt_jwks_url=issuer.url, api_keys="an-api-key")
    auth.identify("an-api-key")
    refused(auth, "wrong")
    refused(auth, jwt.encode(claims(), SECRET, headers={"kid": "one"}))  # HS256: no need to ask
    refused(auth, jwt.encode(claims(), RSA_KEY, "RS256"))  # names no key
    assert issuer.asked == []
    for _ in range(3):
        for key, algorithm, key_id in ((RSA_KEY, "RS256", "one"), (EC_KEY, "ES256", "two")):
            token = jwt.encode(claims(), key, algorithm, headers={"kid": key_id})
            assert auth.identify(token).id == "jwt:ann"
    assert issuer.asked == ["/keys"]


def test_a_token_names_no_place_to_fetch_keys_from(issuer: Issuer) -> None:
    elsewhere = Issuer()
    elsewhere.publish(published(OTHER_RSA_KEY, "RS256", "one"))
    own = published(OTHER_RSA_KEY, "RS256", "one")
    auth = authenticator(jwt_jwks_url=issuer.url)
    for extra in ({"jku": elsewhere.url}, {"x5u": elsewhere.url}, {"jwk": own}, {}):
        token = jwt.encode(claims(), OTHER_RSA_KEY, "RS256", headers={"kid": "one", **extra})
        refused(auth, token)
    assert elsewhere.asked == []
    elsewhere.server.shutdown()
    elsewhere.server.server_close()


@pytest.mark.parametrize(
    "key_id",
    [
        "../../etc/passwd",
        "/dev/null",
        "one' OR '1'='1",
        "http://127.0.0.1/keys",
        "one\0",
        "",
        "x" * 10_000,
        7,
        None,
        ["one"],
        {"kid": "one"},
    ],
)
def test_a_key_id_is_only_ever_compared(issuer: Issuer, key_id: Any) -> None:
    auth = authenticator(jwt_jwks_url=issuer.url)
    header = {"alg": "RS256", "kid": key_id}
    for secret in (b"", b"\0", pem(RSA_KEY)):
        refused(auth, forged(header, claims(), secret))
    assert set(issuer.asked) <= {"/keys"}
    assert len(issuer.asked) <= 1


def test_a_flood_of_unknown_key_ids_does_not_become_a_flood_of_fetches(issuer: Issuer) -> None:
    auth = authenticator(jwt_jwks_url=issuer.url)
    for index in range(50):
        refused(auth, forged({"alg": "RS256", "kid": f"k{index}"}, claims(), b"x"))
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("answer", [b"", b"[]", b"{", b"null", b'{"keys":[]}', b"[" * 3000])
def test_a_broken_issuer_lets_no_one_in(issuer: Issuer, answer: bytes) -> None:
    issuer.answer = answer
    auth = authenticator(jwt_jwks_url=issuer.url)
    refused(auth, jwt.encode(claims(), RSA_KEY, "RS256", headers={"kid": "one"}))


def test_an_issuer_that_is_away_is_not_asked_for_every_token(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = authenticator(jwt_jwks_url=issuer.url)
    token = jwt.encode(claims(), RSA_KEY, "RS256", headers={"kid": "one"})
    issuer.status = 503
    for _ in range(20):
        fault = refused(auth, token)
        assert "issuer does not answer" in fault.message
        assert fault.recoverable
    assert len(issuer.asked) == 1
    issuer.status = 200
    later = time.monotonic() + jwt_auth.FETCH_PAUSE_S + 1
    monkeypatch.setattr("qwen3_tts.server.access.jwt_auth.time.monotonic", lambda: later)
    assert auth.identify(token).id == "jwt:ann"


def test_a_published_secret_is_no_key(issuer: Issuer) -> None:
    code = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    for alg in ({}, {"alg": "HS256"}):
        issuer.publish({"kty": "oct", "k": code, "kid": "one", **alg})
        auth = authenticator(jwt_jwks_url=issuer.url)
        for header in ("HS256", "RS256"):
            refused(auth, forged({"alg": header, "kid": "one"}, claims(), SECRET.encode()))


def test_the_key_decides_on_the_algorithm(issuer: Issuer) -> None:
    issuer.publish(published(EC_KEY, "ES256", "one"))
    auth = authenticator(jwt_jwks_url=issuer.url)
    refused(auth, jwt.encode(claims(), RSA_KEY, "RS256", headers={"kid": "one"}))
    refused(auth, jwt.encode(claims(), ED_KEY, "EdDSA", headers={"kid": "one"}))


def test_the_event_loop_goes_on_while_keys_are_fetched() -> None:
    """A thread answers only after the loop has: were the loop blocked, this would not end well."""
    auth = authenticator(jwt_jwks_url="http://127.0.0.1:9/keys")
    assert auth._jwt is not None
    turned = threading.Event()

    class Slow:
        def find(self, key_id: object) -> Any:
            assert turned.wait(10)
            return jwt.PyJWK(published(RSA_KEY, "RS256", "one"))

    auth._jwt._issuer_keys = Slow()  # type: ignore[assignment]
    token = jwt.encode(claims(), RSA_KEY, "RS256", headers={"kid": "one"})

    async def main() -> str:
        asking = asyncio.ensure_future(auth.identify_async(token))
        await asyncio.sleep(0)
        turned.set()
        return (await asking).id

    assert asyncio.run(main()) == "jwt:ann"
    assert asyncio.run(authenticator().identify_async("x")) is ANONYMOUS


def test_no_token_is_ever_logged(
    issuer: Issuer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").write_bytes(pem(RSA_KEY))
    tokens = [
        "a-wrong-api-key",
        jwt.encode(claims(), "another secret of at least 32 bytes!"),
        jwt.encode(claims(exp=1), SECRET),
        jwt.encode(claims(), OTHER_RSA_KEY, "RS256", headers={"kid": "needle-in-the-kid"}),
        forged({"alg": "needle-in-the-alg", "kid": "one"}, claims(), b""),
        jwt.encode(claims(sub="needle\nsub"), SECRET),
    ]
    with caplog.at_level(logging.DEBUG):
        for auth in (
            authenticator(api_keys="an-api-key", jwt_secret=SECRET),
            authenticator(jwt_public_key_file=tmp_path / "key.pem"),
            authenticator(jwt_jwks_url=issuer.url),
        ):
            for token in tokens:
                told = refused(auth, token).message
                assert "needle" not in told
            assert SECRET not in repr(vars(auth))
    assert caplog.records
    shown = "".join(f"{record.getMessage()}{vars(record)}" for record in caplog.records)
    for hidden in (*tokens, "needle", SECRET, "an-api-key"):
        assert hidden not in shown


# where a token stands


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer   abc "}, "abc"),
        ({"authorization": "Token abc"}, "abc"),
        ({"authorization": "Basic YTpi"}, None),
        ({"authorization": "Bearer"}, None),
        ({"authorization": "Bearer "}, None),
        ({"authorization": "abc"}, None),
        ({"x-api-key": "abc"}, "abc"),
        ({"xi-api-key": "abc"}, "abc"),
        ({"x-api-key": ""}, None),
        ({"authorization": "Basic YTpi", "xi-api-key": "abc"}, "abc"),
        ({"authorization": "Bearer one", "x-api-key": "two"}, "one"),
        ({"sec-websocket-protocol": "qwen3-tts, token.YWJj"}, "abc"),
        ({"sec-websocket-protocol": "qwen3-tts"}, None),
    ],
)
def test_where_a_token_stands(headers: dict[str, str], token: str | None) -> None:
    assert token_of(headers) == token


@given(st.text(min_size=1, max_size=200, alphabet=st.characters(codec="utf-8")))
def test_any_token_fits_into_a_subprotocol(token: str) -> None:
    code = base64.urlsafe_b64encode(token.encode()).decode()
    assert token_of_subprotocols([SUBPROTOCOL, f"token.{code.rstrip('=')}"]) == token
    assert token_of_subprotocols([f"token.{code}"]) == token


@pytest.mark.parametrize(
    "part", ["token.", "token.=", "token.a", "token.a+b/", "token.é", "token._w", "Token.YWJj"]
)
def test_damaged_subprotocols_hold_no_token(part: str) -> None:
    assert token_of_subprotocols([SUBPROTOCOL, part]) is None
    assert token_of_subprotocols([part, "token.YWJj"]) == "abc"
    assert token_of_subprotocols(["token." + "A" * 100_000]) is None


def test_the_subprotocol_with_the_token_is_never_accepted() -> None:
    assert accepted_subprotocol(["token.YWJj", SUBPROTOCOL]) == SUBPROTOCOL
    assert accepted_subprotocol(["token.YWJj"]) is None


# pages


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "a.example", True),
        (None, None, True),
        ("http://a.example", "a.example", True),
        ("HTTP://A.example", "a.EXAMPLE", True),
        ("http://a.example:8000", "a.example:8000", True),
        ("https://a.example", "a.example", True),  # behind a proxy that ends TLS
        ("https://a.example", "a.example:443", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://a.example:8000", "a.example", False),
        ("http://a.example", "a.example:8000", False),
        ("http://a.example.evil.example", "a.example", False),
        ("http://evil.example", "a.example", False),
        ("http://evil.example#a.example", "a.example", False),
        ("http://a.example@evil.example", "a.example", False),
        ("http://evil.example/a.example", "a.example", False),
        ("http://evil.example\\a.example", "a.example", False),
        ("http://a\t.example", "a.example", False),  # a URL parser drops the tab
        ("null", "null", False),
        ("", "", False),
        ("http://", "", False),
        ("a.example", "a.example", False),
        ("file://a.example", "a.example", False),
        ("http://a.example", None, False),
        ("http://a.example:x", "a.example:x", False),
        ("https://page.example", "a.example", True),  # listed
        ("https://page.example:443", "a.example", True),
        ("http://page.example", "a.example", False),
        ("https://page.example:8443", "a.example", False),
    ],
)
def test_pages_that_may_open_a_socket(origin: str | None, host: str | None, allowed: bool) -> None:
    settings = load_settings(allowed_origins="https://page.example")
    assert origin_allowed(origin, host, settings) is allowed


def test_any_page_may_where_keys_guard_the_server() -> None:
    settings = load_settings(allowed_origins="*", api_keys="k")
    assert origin_allowed("https://anything.example", "a", settings)
    assert not origin_allowed("null", "a", settings)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_origin_breaks_the_check(origin: str, host: str) -> None:
    settings = ServerSettings()
    assert origin_allowed(origin, host, settings) in (True, False)
    assert host_allowed(host, settings) in (True, False)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("LOCALHOST", True),
        ("page.example:81", True),  # listed
        ("evil.example:8000", False),  # a name that was pointed at 127.0.0.1
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8000", False),
        ("evil.example:8000@localhost", False),
        ("", False),
        (None, False),
    ],
)
def test_a_keyless_server_answers_to_its_own_names_only(host: str | None, allowed: bool) -> None:
    settings = load_settings(allowed_origins="http://page.example:81")
    assert host_allowed(host, settings) is allowed
    assert host_allowed(host, load_settings(api_keys="k"))
    assert host_allowed(host, load_settings(host="0.0.0.0"))


def test_a_flood_of_tokens_takes_no_thread_from_others(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech is encoded in the threads of `to_thread`; a key needs no issuer at all."""
    answering = threading.Event()
    find = IssuerKeys.find

    def slow(keys: IssuerKeys, key_id: object) -> jwt.PyJWK:
        assert answering.wait(10)
        return find(keys, key_id)

    monkeypatch.setattr(IssuerKeys, "find", slow)
    auth = authenticator(jwt_jwks_url=issuer.url, api_keys="an-api-key")
    token = jwt.encode(claims(), RSA_KEY, "RS256", headers={"kid": "one"})

    async def run() -> None:
        flood = [asyncio.create_task(auth.identify_async(token)) for _ in range(100)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            assert (await auth.identify_async("an-api-key")).authenticated
            assert await asyncio.to_thread(lambda: "free") == "free"
        answering.set()
        assert {principal.id for principal in await asyncio.gather(*flood)} == {"jwt:ann"}

    try:
        asyncio.run(run())
    finally:
        answering.set()
