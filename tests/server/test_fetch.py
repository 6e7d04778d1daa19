"""Fetching a URL that a stranger gave: what must not be reached is not, whatever it is called."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings, load_settings
from qwen3_tts.server.voices import fetch
from qwen3_tts.server.voices.fetch import Network, fetch_recording, is_public, parse

PUBLIC = "93.184.215.14"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServerSettings:
    return load_settings(
        voices_dir=tmp_path_factory.mktemp("v"), fetch_urls=True, max_upload_bytes=10_000
    )


@pytest.fixture(scope="module")
def with_http(settings: ServerSettings) -> ServerSettings:
    return settings.model_copy(update={"fetch_http": True})


# what a URL's text tells

HOSTILE_URLS = [
    # who is the host? readers disagree
    "https://audio.example\\@127.0.0.1/",
    "https://127.0.0.1\\@audio.example/",
    "https://audio.example\\.evil.example/",
    "https:\\\\audio.example/",
    "https://user@audio.example/",
    "https://user:password@audio.example/",
    "https://audio.example:443@127.0.0.1/",
    "https://audio.example%40127.0.0.1/",
    "https://audio.example\t@127.0.0.1/",
    "https://audio.example\n.evil.example/",
    "https://audio.example /",
    " https://audio.example/",
    "https://audio.example/\r\nHost: 127.0.0.1",
    "https://audio.example/a\0b",
    "https:///audio.example/",
    "https:audio.example/",
    "https:/audio.example/",
    "//audio.example/",
    "audio.example/a.wav",
    "",
    "https://",
    "https://?",
    "https://:443/",
    # numbers that some read as addresses
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.0x1/",
    "https://256.1.1.1/",
    "https://1.2.3.4.5/",
    "https://127.0.0.1./",
    "https://a.1/",
    "https://[::1",
    "https://::1/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.x]/",
    "https://[127.0.0.1]/",
    # letters and dots that look like others
    "https://audio。example/",
    "https://127。0。0。1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://ａｕｄｉｏ.example/",
    "https://audio\u00ad.example/",
    "https://münchen.example/",
    "https://audio%2eexample/",
    # names that are not full, or odd
    "https://localhost/",
    "https://localhost./",
    "https://metadata/",
    "https://audio.example./",
    "https://audio..example/",
    "https://.audio.example/",
    "https://-audio.example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
    # other ports and schemes
    "https://audio.example:8443/",
    "https://audio.example:22/",
    "https://audio.example:0/",
    "https://audio.example:65536/",
    "https://audio.example:-1/",
    "https://audio.example:/",
    "https://audio.example:4 43/",
    "https://audio.example:443:80/",
    "http://audio.example/",
    "ftp://audio.example/",
    "file:///etc/passwd",
    "file://audio.example/etc/passwd",
    "gopher://audio.example/",
    "data:audio/wav;base64,UklGRg==",
    "javascript:alert(1)",
    "jar:https://audio.example!/",
    "https://audio.example/" + "a" * 2048,
]


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=ascii)
def test_hostile_urls_are_refused_before_anything_is_looked_up(
    url: str, settings: ServerSettings
) -> None:
    with pytest.raises(Fault) as refused:
        asyncio.run(fetch_recording(url, settings, Network(unreachable, unreachable)))
    assert refused.value.code is FaultCode.INVALID_MESSAGE
    assert refused.value.param == "audio_url"


async def unreachable(*_: object) -> Any:
    pytest.fail("it must not come to this")


GOOD_URLS = {
    "https://audio.example/a.wav": ("audio.example", 443, "/a.wav"),
    "HTTPS://Audio.EXAMPLE": ("audio.example", 443, "/"),
    "https://audio.example:443/a/b%20c?d=e&f=/g#h": ("audio.example", 443, "/a/b%20c?d=e&f=/g"),
    "https://audio.example?x": ("audio.example", 443, "/?x"),
    "https://xn--mnchen-3ya.example/": ("xn--mnchen-3ya.example", 443, "/"),
    "https://audio.example:80/": ("audio.example", 80, "/"),
    "https://8.8.8.8/a": ("8.8.8.8", 443, "/a"),
    "https://[2606:4700:0:0::1111]/a": ("2606:4700::1111", 443, "/a"),
}


@pytest.mark.parametrize("url", GOOD_URLS)
def test_plain_urls_are_read(url: str, settings: ServerSettings) -> None:
    target = parse(url, settings)
    assert (target.host, target.port, target.path) == GOOD_URLS[url]
    assert parse(target.url, settings) == target


def test_only_listed_hosts_where_there_is_a_list(settings: ServerSettings) -> None:
    listed = settings.model_copy(update={"fetch_hosts": ("audio.example",)})
    assert parse("https://AUDIO.example/", listed).host == "audio.example"
    for host in ("other.example", "sub.audio.example", "audio.example.evil.example", "8.8.8.8"):
        with pytest.raises(Fault, match="not among those"):
            parse(f"https://{host}/", listed)


def test_nothing_is_fetched_where_it_is_not_allowed(settings: ServerSettings) -> None:
    closed = settings.model_copy(update={"fetch_urls": False})
    with pytest.raises(Fault, match="fetches no URLs"):
        asyncio.run(
            fetch_recording("https://audio.example/", closed, Network(unreachable, unreachable))
        )


# where a name leads

PRIVATE = """
    127.0.0.1 127.8.9.10 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1
    169.254.169.254 100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.1 192.0.0.192 192.0.2.1
    192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
    240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:a9fe:a9fe ::127.0.0.1 ::8.8.8.8 64:ff9b::7f00:1
    64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1
    2001:db8::1 2002:7f00:1:: 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1
    fe80::1%eth0 fec0::1 ff02::1 4000::1 name 1.2.3 1.2.3.4.5
""".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str, with_http: ServerSettings) -> None:
    assert not is_public(address)
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(Fault, match="not at a public address"):
            fetched("http://audio.example/", with_http, {"audio.example": addresses}, unreachable)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [a for a in PRIVATE if a.count(".") == 3 or ":" in a])
def test_no_url_names_an_address_that_is_not_public(
    address: str, with_http: ServerSettings
) -> None:
    """Through the system's own look-up, which hands numbers back."""
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Fault):
        asyncio.run(fetch_recording(f"http://{host}/", with_http, Network(dial=unreachable)))


def test_a_name_without_an_address_is_refused(with_http: ServerSettings) -> None:
    with pytest.raises(Fault, match="not at a public address"):
        fetched("http://audio.example/", with_http, {"audio.example": []}, unreachable)


def test_an_unknown_name_is_told_without_details(with_http: ServerSettings) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Fault) as refused:
        asyncio.run(fetch_recording("http://a.example/", with_http, Network(unknown, unreachable)))
    assert refused.value.message == "`audio_url`: it could not be fetched"


# what is sent and answered: a local server stands for every public address

Serve = Callable[[socket.socket, bytes], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nRIFF"


def fetched(
    url: str,
    settings: ServerSettings,
    names: dict[str, list[str]],
    dial: Callable[..., Awaitable[Any]],
    deadline_s: float = 5.0,
) -> bytes:
    async def look_up(host: str, port: int) -> list[str]:
        return names.get(host, [host])

    return asyncio.run(fetch_recording(url, settings, Network(look_up, dial, deadline_s)))


class Site:
    """One public host: answers each connection as it is told, and keeps what it was asked."""

    def __init__(self, *answers: bytes | Serve):
        self.answers, self.asked, self.dialled = list(answers), list[bytes](), list[Any]()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    async def dial(self, address: str, port: int, tls_name: str | None) -> Any:
        self.dialled.append((address, port, tls_name))
        return await asyncio.open_connection(*self.listener.getsockname())

    def fetch(
        self, settings: ServerSettings, url: str = "http://audio.example/a", **how: Any
    ) -> bytes:
        names = {name: [PUBLIC] for name in ("audio.example", "other.example", "8.8.8.8")}
        names["inside.example"] = ["10.0.0.7"]
        return fetched(url, settings, names, self.dial, **how)

    def _serve(self) -> None:
        for answer in self.answers:
            with contextlib.suppress(OSError):  # those that hang up on us
                connection, _ = self.listener.accept()
                with connection:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += connection.recv(1000)
                    self.asked.append(head)
                    if isinstance(answer, bytes):
                        connection.sendall(answer)
                    else:
                        answer(connection, head)


def to(location: str, code: int = 302) -> bytes:
    return f"HTTP/1.1 {code} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def test_a_recording_comes_as_it_is(
    with_http: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request, to the address that was checked, for the name; no proxy, no cookie, no key."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with Site(OK) as site:
        assert site.fetch(with_http, "http://audio.example/a%20b?c=d#e") == b"RIFF"
    assert site.dialled == [(PUBLIC, 80, None)]
    head = site.asked[0].decode().split("\r\n")
    assert head[0] == "GET /a%20b?c=d HTTP/1.1"
    names = sorted(line.partition(":")[0].lower() for line in head[1:] if line)
    assert names == ["accept", "accept-encoding", "connection", "host", "user-agent"]
    assert "Host: audio.example" in head


def test_chunked_and_unmeasured_answers_are_read(with_http: ServerSettings) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nRI\r\n2\r\nFF\r\n0\r\n\r\n"
    )
    for answer in (chunked, b"HTTP/1.0 200 OK\r\n\r\nRIFF", b"HTTP/1.1 103 x\r\n\r\n" + OK):
        with Site(answer) as site:
            assert site.fetch(with_http) == b"RIFF"


def test_redirects_are_followed_a_little(with_http: ServerSettings) -> None:
    with Site(to("/b", 301), to("http://other.example/c", 307), to("d?e", 308), OK) as site:
        assert site.fetch(with_http) == b"RIFF"
    paths = [head.split()[1].decode() for head in site.asked]
    assert paths == ["/a", "/b", "/c", "/d?e"]
    hosts = [line for head in site.asked for line in head.split(b"\r\n") if b"Host" in line]
    assert hosts == [b"Host: " + name for name in (b"audio.example",) * 2 + (b"other.example",) * 2]
    many = Site(*[to("/again")] * 9)
    with many as site, pytest.raises(Fault, match="redirects more than 3 times"):
        site.fetch(with_http)
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://inside.example/",
        "//127.0.0.1/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data/",
        "http://audio.example:6379/",
        "http://audio.example@127.0.0.1/",
        "http://[::1]/",
        "http://[::1",
        "file:///etc/passwd",
        "http://2130706433/",
        "http://audio.example\\@127.0.0.1/",
        "ünicode",
    ],
)
def test_redirects_lead_nowhere_that_a_url_may_not(
    location: str, with_http: ServerSettings
) -> None:
    with Site(to(location), OK) as site:
        with pytest.raises(Fault):
            site.fetch(with_http)
        assert len(site.dialled) == 1


def test_a_redirect_from_https_to_http_needs_http(settings: ServerSettings) -> None:
    down = Site(to("http://audio.example/b"), OK)
    with down as site, pytest.raises(Fault, match="begin with https://"):
        site.fetch(settings, "https://audio.example/a")
    assert [port for _, port, _ in site.dialled] == [443]


def test_a_name_that_changes_its_address_is_looked_up_once(with_http: ServerSettings) -> None:
    """The first look-up is public, each later one is not: it is the first that is connected to."""
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    with Site(OK) as site:
        network = Network(rebinding, site.dial)
        assert asyncio.run(fetch_recording("http://a.example/", with_http, network)) == b"RIFF"
        assert site.dialled == [(PUBLIC, 80, None)]
    with Site(to("/b"), OK) as site:  # a redirect is a new look-up, and a new check
        answers = iter([[PUBLIC], ["127.0.0.1"]])
        network = Network(rebinding, site.dial)
        with pytest.raises(Fault, match="not at a public address"):
            asyncio.run(fetch_recording("http://a.example/", with_http, network))
        assert len(site.dialled) == 1


def test_the_next_address_is_tried_when_one_is_down(with_http: ServerSettings) -> None:
    with Site(OK) as site:

        async def dial(address: str, port: int, tls_name: str | None) -> Any:
            if address == "8.8.8.8":
                raise ConnectionRefusedError
            return await site.dial(address, port, tls_name)

        names = {"audio.example": ["8.8.8.8", PUBLIC, "1.1.1.1"]}
        assert fetched("http://audio.example/", with_http, names, dial) == b"RIFF"
    assert site.dialled == [(PUBLIC, 80, None)]


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
BAD_ANSWERS = {
    "too large, as it says": (LENGTH % 10_001, FaultCode.TOO_LARGE, "10000"),
    "too large without saying": (
        b"HTTP/1.0 200 OK\r\n\r\n" + bytes(10_001),
        FaultCode.TOO_LARGE,
        "10000",
    ),
    "too large in chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"3e8\r\n" * 1
        + bytes(1000)
        + (b"\r\n3e8\r\n" + bytes(1000)) * 10,
        FaultCode.TOO_LARGE,
        "10000",
    ),
    "cut": (LENGTH % 100 + b"RIFF", FaultCode.INVALID_MESSAGE, "could not be fetched"),
    "not found": (
        b"HTTP/1.1 404 x\r\nContent-Length: 6\r\n\r\nsecret",
        FaultCode.INVALID_MESSAGE,
        "answered 404",
    ),
    "compressed": (
        b"HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        FaultCode.INVALID_MESSAGE,
        "compressed",
    ),
    "a redirect to nowhere": (
        b"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n",
        FaultCode.INVALID_MESSAGE,
        "answered 302",
    ),
    "no http": (b"SSH-2.0-x\r\n\r\n", FaultCode.INVALID_MESSAGE, "could not be fetched"),
    "nothing": (b"", FaultCode.INVALID_MESSAGE, "could not be fetched"),
    "endless headers": (
        b"HTTP/1.1 200 x\r\n" + b"A: b\r\n" * 10_000,
        FaultCode.INVALID_MESSAGE,
        "could not be fetched",
    ),
    "two lengths": (
        b"HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 4\r\n\r\nRIFF",
        FaultCode.INVALID_MESSAGE,
        "could not be fetched",
    ),
    "another protocol": (
        b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n",
        FaultCode.INVALID_MESSAGE,
        "could not be fetched",
    ),
}


@pytest.mark.parametrize("what", BAD_ANSWERS)
def test_bad_answers_are_told(what: str, with_http: ServerSettings) -> None:
    answer, code, told = BAD_ANSWERS[what]
    with Site(answer) as site, pytest.raises(Fault, match=told) as refused:
        site.fetch(with_http)
    assert refused.value.code is code
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-Drip: ", LENGTH % 5000])
def test_a_site_that_drips_is_given_up(start: bytes, with_http: ServerSettings) -> None:
    left = threading.Event()

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        with contextlib.suppress(OSError):
            while True:
                time.sleep(0.01)
                connection.sendall(b"x" if start else b"")
                if not start:
                    connection.settimeout(2)
                    if not connection.recv(1):
                        break
        left.set()

    with Site(drip) as site:
        began_s = time.monotonic()
        with pytest.raises(Fault, match=r"within 0\.2 s"):
            site.fetch(with_http, deadline_s=0.2)
        assert time.monotonic() - began_s < 1.5
        assert left.wait(2), "the connection was left open"


def test_a_slow_look_up_counts(with_http: ServerSettings) -> None:
    async def slow(host: str, port: int) -> list[str]:
        await asyncio.sleep(5)
        return [PUBLIC]

    with pytest.raises(Fault, match="within"):
        asyncio.run(
            fetch_recording("http://a.example/", with_http, Network(slow, unreachable, 0.05))
        )


# TLS


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    pkcs8 = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, no_password))
    return files


@pytest.mark.parametrize(
    ("host", "trusted", "works"),
    [
        ("audio.example", True, True),
        ("audio.example", False, False),
        ("other.example", True, False),
    ],
)
def test_certificates_are_checked_for_the_name(
    host: str,
    trusted: bool,
    works: bool,
    settings: ServerSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection goes to an address; the certificate has to be for the name in the URL."""
    public, private = certificate(tmp_path, "audio.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    greeted: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: greeted.append(name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(public))

    async def run() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]

        async def look_up(host: str, _: int) -> list[str]:
            return [PUBLIC]

        async def dial(address: str, _: int, tls_name: str | None) -> Any:
            assert address == PUBLIC
            return await fetch.dial("127.0.0.1", port, tls_name)  # the true one, led here

        async with server:
            return await fetch_recording(f"https://{host}/", settings, Network(look_up, dial))

    if works:
        assert asyncio.run(run()) == b"RIFF"
    else:
        with pytest.raises(Fault, match="could not be fetched"):
            asyncio.run(run())
    assert greeted == [host]


def test_the_tables_of_addresses_are_what_they_say() -> None:
    for block in fetch._CLOSED:
        assert not is_public(str(block.network_address))
        assert not is_public(str(block[-1]))
    assert ipaddress.ip_address(PUBLIC).is_global


def test_authorities_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def read() -> None:
        threads.append(threading.get_ident())
        raise OSError("enough")

    monkeypatch.setattr(fetch.ssl, "create_default_context", read)
    with pytest.raises(OSError, match="enough"):
        asyncio.run(fetch.dial("127.0.0.1", 443, "example.com"))
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
