"""A recording fetched from a URL that a stranger gave, without becoming their way into our network.

The URL is read strictly, its name is looked up once, every address of it has to be public, and the
connection goes to the address that was checked, so that a name cannot change its meaning in
between. Each redirect starts again from there. No proxies, no cookies, and no way around the limits
on bytes and on time, which counts from the first look-up to the last byte.
"""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.version import __version__

PORTS = {"https": 443, "http": 80}
REDIRECTS = 3
REDIRECT_CODES = (301, 302, 303, 307, 308)
DEADLINE_S = 10.0
URL_CHARS = 2048
ADDRESSES = 2  # of a name that are tried
PARAM = "audio_url"

# What a URL may be made of: no blanks, no backslash, no letters that look like others.
_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label that browsers read as an IPv4 address
# Not public, whatever the running Python's tables of special addresses say.
_CLOSED = [
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
        "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 "
        "224.0.0.0/4 240.0.0.0/4 "
        "168.63.129.16/32 "  # a public address by which a cloud's machines reach their host
        "2001::/23 2001:db8::/32 2002::/16 3fff::/20"  # with Teredo, ORCHID, 6to4
    ).split()
]
_GLOBAL6 = ipaddress.IPv6Network("2000::/3")  # leaves out mapped, NAT64, local and multicast ones

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Dial(Protocol):
    """Opens a connection to an address; `tls_name` is the name its certificate has to carry."""

    def __call__(
        self, address: str, port: int, tls_name: str | None
    ) -> Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]: ...


async def look_up(host: str, port: int) -> list[str]:
    """All addresses of a name."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def dial(
    address: str, port: int, tls_name: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if tls_name is None:
        return await asyncio.open_connection(address, port)
    context = await asyncio.to_thread(ssl.create_default_context)  # 20 ms to read all authorities
    return await asyncio.open_connection(address, port, ssl=context, server_hostname=tls_name)


@dataclass(frozen=True)
class Network:
    """How names are looked up and connections opened."""

    look_up: Callable[[str, int], Awaitable[list[str]]] = look_up
    dial: Dial = dial
    deadline_s: float = DEADLINE_S


PUBLIC_NETWORK = Network()


@dataclass(frozen=True)
class Target:
    """A URL that may be fetched, as far as its text tells."""

    scheme: str
    host: str  # lower case, without brackets
    port: int
    path: str = field(repr=False)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if PORTS[self.scheme] == self.port else f"{host}:{self.port}"


async def fetch_recording(
    url: str,
    settings: ServerSettings,
    network: Network = PUBLIC_NETWORK,
) -> bytes:
    """The content behind a URL. Raises `Fault` when it must not, or cannot, be fetched."""
    if not settings.fetch_urls:
        raise _refused("this server fetches no URLs; upload the recording instead")
    try:
        async with asyncio.timeout(network.deadline_s):
            for _ in range(REDIRECTS + 1):
                target = parse(url, settings)
                answer = await _get(target, settings.max_upload_bytes, network)
                if isinstance(answer, bytes):
                    return answer
                url = urljoin(target.url, answer.location)
    except TimeoutError:
        raise _refused(f"it could not be fetched within {network.deadline_s:g} s") from None
    except (OSError, ValueError, h11.ProtocolError):  # no details: they would map our network
        raise _refused("it could not be fetched") from None
    raise _refused(f"it redirects more than {REDIRECTS} times")


def parse(url: str, settings: ServerSettings) -> Target:
    """Read a URL strictly. Raises `Fault` for whatever two readers might understand differently."""
    if len(url) > URL_CHARS or not _ALLOWED.fullmatch(url):
        raise _refused(f"a URL is 1 to {URL_CHARS} ASCII characters, others percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("it is not a URL") from None
    schemes = ("https", "http") if settings.fetch_http else ("https",)
    if parts.scheme not in schemes or not url[len(parts.scheme) :].startswith("://"):
        raise _refused(f"it has to begin with {' or '.join(f'{s}://' for s in schemes)}")
    if "@" in parts.netloc or "%" in parts.netloc or parts.netloc.endswith(":"):
        raise _refused("it may name a host and a port, no user, password or zone")
    port = PORTS[parts.scheme] if port is None else port
    if port not in PORTS.values():
        raise _refused(f"port {port} is not allowed, use {PORTS['https']} or {PORTS['http']}")
    host = _host(parts)
    if settings.fetch_hosts and host not in settings.fetch_hosts:
        raise _refused("its host is not among those this server fetches from")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def is_public(address: str) -> bool:
    """Whether an address is one that anybody on the internet can be reached at."""
    try:
        ip: Address = ipaddress.ip_address(address)
    except ValueError:  # also one with a zone
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL6 or ip.scope_id):
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    return not any(ip in block for block in _CLOSED if block.version == ip.version)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if parts.netloc.startswith("["):
        with contextlib.suppress(ValueError):
            return str(ipaddress.IPv6Address(host))
        raise _refused("its host is not an address")
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise _refused("its host is not a full name such as audio.example.com")
    if _NUMERIC.fullmatch(labels[-1]):
        try:  # four decimal numbers without leading zeros, or nothing
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _refused("its host is a number, not a name") from None
    return host


@dataclass(frozen=True)
class _Redirect:
    location: str


async def _get(target: Target, max_bytes: int, network: Network) -> bytes | _Redirect:
    addresses = await network.look_up(target.host, target.port)
    if not addresses or not all(map(is_public, addresses)):
        raise _refused("its host is not at a public address")
    reader, writer = await _connect(target, addresses[:ADDRESSES], network)
    try:
        return await _exchange(target, max_bytes, reader, writer)
    finally:
        # At once: closing TLS politely would wait for the other side, beyond our deadline.
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _connect(
    target: Target, addresses: list[str], network: Network
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls_name = target.host if target.scheme == "https" else None
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return await network.dial(address, target.port, tls_name)
    return await network.dial(addresses[-1], target.port, tls_name)


async def _exchange(
    target: Target, max_bytes: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes | _Redirect:
    connection = h11.Connection(h11.CLIENT)
    headers = [
        ("Host", target.host_header),
        ("User-Agent", f"qwen3-tts/{__version__}"),
        ("Accept", "audio/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
    writer.write(connection.send(h11.Request(method="GET", target=target.path, headers=headers)))
    writer.write(connection.send(h11.EndOfMessage()))
    await writer.drain()
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Response):
            if (redirect := _judged(event, max_bytes)) is not None:
                return redirect
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > max_bytes:
                raise _too_large(max_bytes)
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif not isinstance(event, h11.InformationalResponse):
            raise _refused("it could not be fetched")


def _judged(response: h11.Response, max_bytes: int) -> _Redirect | None:
    """Where the answer sends us, None where its body is wanted, `Fault` for all else."""
    headers = {name.decode("ascii"): value for name, value in response.headers}
    if response.status_code in REDIRECT_CODES and "location" in headers:
        return _Redirect(headers["location"].decode("ascii"))
    if response.status_code != 200:
        raise _refused(f"its server answered {response.status_code}")
    if headers.get("content-encoding", b"identity").lower() != b"identity":
        raise _refused("its server answered with compressed content")
    if int(headers.get("content-length", b"0")) > max_bytes:  # h11 has checked that it is a number
        raise _too_large(max_bytes)
    return None


def _refused(why: str) -> Fault:
    return Fault(FaultCode.INVALID_MESSAGE, f"`{PARAM}`: {why}", PARAM)


def _too_large(max_bytes: int) -> Fault:
    return Fault(FaultCode.TOO_LARGE, f"`{PARAM}`: it has more than {max_bytes} bytes", PARAM)
