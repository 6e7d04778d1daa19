"""Running the application: sockets, signals, and an orderly end."""

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server.access.http_lines import PatientHttp
from qwen3_tts.server.app import create_app
from qwen3_tts.server.observe.logs import configure_logging
from qwen3_tts.server.settings import ServerSettings, check_exposure
from qwen3_tts.server.speaking.model_host import ModelState
from qwen3_tts.server.speaking.opening import check_model
from qwen3_tts.server.state import ServerState

logger = logging.getLogger(__name__)

ENGINE_DIED = 3  # exit code: a supervisor should start another
MAX_CONNECTIONS = 1024
FILES_BESIDES = 256  # open files besides connections: weights, voices, logs
BACKLOG = 2048  # connections that wait to be accepted
MAX_HEADER_BYTES = 16_384
PING_S = 20.0  # WebSocket pings, so that half-open connections are found
CHECK_S = 0.2
LAST_BYTES_S, CUT_OFF_S = 5, 1  # until answers are cut, when drained and when that took too long
DEAD_AFTER_S = 15.0  # when the engine is dead, whatever still waits for it
# of one of a host's addresses, where another can be listened on
NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Server(uvicorn.Server):
    """Ends in order: the first signal drains, a second one ends at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, up: Callable[[], None]):
        super().__init__(config)
        self.app, self.up = app, up
        self.state: ServerState = app.state.server
        self.exit_code = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_end = False
        self._tasks: list[asyncio.Task[None]] = []  # the loop itself would not keep them

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._tasks.append(asyncio.create_task(self._watch_engine()))
        self.up()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._asked_to_end:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self._asked_to_end = True
        if self._loop is None:
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self._begin_drain, signal.Signals(sig).name)

    def _begin_drain(self, why: str) -> None:
        self._tasks.append(asyncio.create_task(self._drain(why)))

    async def _drain(self, why: str) -> None:
        """Unready at once; then wait, first for those who still come, then for speech to end."""
        state, settings = self.state, self.state.settings
        self.app.state.leaving = True
        logger.info("%s: %d streams are under way", why, state.limits.active_streams)
        if why != "SIGINT":  # a person at a terminal: no balancer has yet to notice
            await asyncio.sleep(settings.drain_grace_s)
        state.limits.draining = True
        try:
            async with asyncio.timeout(settings.drain_timeout_s):
                while state.limits.active_streams or state.limits.active_sessions:
                    await asyncio.sleep(CHECK_S)
        except TimeoutError:
            left = state.limits.active_streams
            logger.warning("%d streams were not finished in %g s", left, settings.drain_timeout_s)
            self.config.timeout_graceful_shutdown = CUT_OFF_S
        self.should_exit = True

    async def _watch_engine(self) -> None:
        frozen_loads = 0
        while not self.should_exit:
            await asyncio.sleep(1.0)
            model = self.state.model
            if complaint := model.complaint():
                logger.critical("the engine is dead: %s", complaint)
                self.exit_code, self.should_exit = ENGINE_DIED, True
                _end_by_force(DEAD_AFTER_S, ENGINE_DIED)
            elif model.state is ModelState.READY and frozen_loads < model.loads:
                frozen_loads = model.loads
                gc.collect()
                gc.freeze()  # a model is many objects that no later collection need look at


def run_server(
    settings: ServerSettings,
    up: Callable[[str], None] = lambda url: None,
    *,
    synthesizer: Synthesizer | None = None,
) -> int:
    """Serve until a signal ends it; `up` is told the address. Returns an exit code.

    With `synthesizer` no model is loaded but this one. Raises `InvalidRequest` for settings that
    would be dangerous or a port that is taken, and `CheckpointError` for no model.
    """
    check_exposure(settings)
    if synthesizer is None:
        check_model(settings)
    sockets = listen(settings)  # first, as building the app may begin to load a model
    configure_logging(settings)
    logging.captureWarnings(True)
    allow_files(MAX_CONNECTIONS + FILES_BESIDES)
    app = create_app(settings, synthesizer=synthesizer)
    server = Server(config_of(app, settings), app, lambda: up(url_of(sockets[0])))
    try:
        server.run(sockets)
    finally:
        for one in sockets:
            one.close()
    if not server.started:
        raise InvalidRequest("the server could not start; its log says why")
    if app.state.server.model.is_loading:
        # a thread in the middle of torch must not meet the end of the interpreter
        _end_now(server.exit_code)
    return server.exit_code


def config_of(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=PatientHttp,
        ws="websockets-sansio",
        ws_max_size=settings.max_message_bytes,
        ws_per_message_deflate=False,  # sound hardly shrinks: six times the CPU for little
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        limit_concurrency=MAX_CONNECTIONS,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=LAST_BYTES_S,
    )


def listen(settings: ServerSettings) -> list[socket.socket]:
    """A socket for each address of the host, all on one port. Raises `InvalidRequest`."""
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"setting `host` is {host!r}: {why}") from None
    sockets: list[socket.socket] = []
    trouble: OSError | None = None
    for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        try:
            one = socket.create_server(
                (address[0], port, *address[2:]), family=family, backlog=BACKLOG
            )
        except OSError as error:
            trouble = error
            if error.errno not in NO_SUCH_ADDRESS:
                break
        else:
            _give_up_on_silence(one, settings.slow_reader_s)
            sockets.append(one)
            port = one.getsockname()[1]  # the same for all, where any would do
    if trouble is None or (sockets and trouble.errno in NO_SUCH_ADDRESS):
        return sockets
    for one in sockets:
        one.close()
    hint = "; is a server running there already?" if trouble.errno == errno.EADDRINUSE else ""
    why = os.strerror(trouble.errno) if trouble.errno else str(trouble)
    raise InvalidRequest(f"cannot listen on {host}, port {port}: {why.lower()}{hint}")


def _give_up_on_silence(listener: socket.socket, patience_s: float) -> None:
    """Have the kernel drop connections whose peer takes nothing, with what is still to be sent.

    A speech ends by itself when its reader is too slow, but the connection would wait for ever to
    hand over its last bytes. Accepted sockets inherit this (Linux only).
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * patience_s))


def url_of(listener: socket.socket) -> str:
    """Where this machine reaches it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def allow_files(number: int) -> None:
    """Let this process open so many files, each connection being one, as far as it may."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < number:
        logger.warning("only %d files may be open: raise the limit to %d", wanted, number)


def _end_by_force(after_s: float, code: int) -> None:
    """End the process when so much time has passed, whatever its threads do."""
    timer = threading.Timer(after_s, _end_now, (code,))
    timer.daemon = True
    timer.start()


def _end_now(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
