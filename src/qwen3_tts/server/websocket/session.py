"""One client of `/api/v1/speak`, from `ready` to `stopped`.

Three tasks: one reads messages, one speaks the texts one after the other, one watches the clock.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import Fault, FaultCode, Gone
from qwen3_tts.server.observe.logs import new_request_id, request_id_var
from qwen3_tts.server.speaking.model_host import ModelState
from qwen3_tts.server.state import ServerState
from qwen3_tts.server.websocket.flood import EarlyMessages, Final, Flood
from qwen3_tts.server.websocket.messages import (
    Cancel,
    ClientMessage,
    Ping,
    Speak,
    Start,
    Stop,
    parse,
)
from qwen3_tts.server.websocket.states import SessionClock, SessionState, wait_for_either
from qwen3_tts.server.websocket.utterance import SessionOptions, Utterance
from qwen3_tts.server.websocket.wire import GOING_AWAY, NORMAL, POLICY, TRY_LATER, Wire

logger = logging.getLogger(__name__)

PROTOCOL = "2.0"
MAX_WAITING = 16  # speeches of one session
MAX_MISTAKES = 20  # messages that make no sense, until the session is closed
MESSAGES_PER_S, MESSAGE_BURST = 200, 1000  # a person types ten a second, a language model a hundred
LOADING_EVERY_S = 0.5


class SpeakSession:
    """One connected client."""

    def __init__(self, socket: WebSocket, wire: Wire, state: ServerState):
        self.socket, self.wire, self.server = socket, wire, state
        self.settings = state.settings
        self.id = request_id_var.get() or new_request_id(None)  # what the log calls it
        self.where = SessionClock()
        self.principal: Principal | None = None
        self.place = contextlib.ExitStack()  # among the sessions that the limits allow
        self.contract_id: str | None = None
        self.options = SessionOptions()
        self.early: EarlyMessages | None = EarlyMessages()  # until `ready` has been said
        self.waiting: deque[Utterance] = deque()
        self.current: Utterance | None = None
        self.more_to_do = asyncio.Event()
        self.stopping: tuple[str, int] | None = None  # what to say at the end, and the close code
        self.warming: asyncio.Task[None] | None = None
        self.flood = Flood(MESSAGES_PER_S, MESSAGE_BURST, MAX_MISTAKES)
        self.heard_s = time.monotonic()

    # a session's life

    async def run(self) -> None:
        """Serve the client until one side ends it. Raises `Gone` or `Fault`."""
        self.where.to(SessionState.CONNECTING)
        tasks = [self._read(), self._talk(), self._watch()]
        try:
            await wait_for_either(*(asyncio.create_task(task) for task in tasks))
        finally:
            for utterance in (*self.waiting, *([self.current] if self.current else [])):
                utterance.cancel()
            if self.warming is not None:
                self.warming.cancel()
            self.where.to(SessionState.STOPPED)
        reason, code = self.stopping or ("closed", NORMAL)
        await self.wire.say("stopped", reason=reason)
        await self.wire.close(code, reason)

    async def refuse(self, fault: Fault, code: int | None = None) -> None:
        """Say why the session cannot go on, and close it."""
        if code is None and isinstance(fault, Final):
            code = fault.close_code
        codes = {FaultCode.RATE_LIMITED: TRY_LATER, FaultCode.MODEL_LOADING: TRY_LATER}
        try:
            await self.wire.fault(fault)
        except Gone:
            return
        await self.wire.close(code or codes.get(fault.code, POLICY), str(fault.code))

    async def identify(self, token: str | None) -> None:
        """Raises `Fault` UNAUTHORIZED or RATE_LIMITED."""
        principal = await self.server.auth.identify_async(token)
        self.socket.scope["principal"] = principal.id
        self.server.limits.request(principal)
        self.take_place(principal)
        self.principal = principal

    def take_place(self, principal: Principal) -> None:
        """Count this session as the principal's. Raises `Final` where they have too many."""
        self.place.close()  # the one it had while nobody knew whose it was
        try:
            self.place.enter_context(self.server.limits.session(principal))
        except Fault as fault:
            raise Final.of(fault, TRY_LATER) from None

    def stop(self, reason: str, code: int = NORMAL) -> None:
        """End the session, at once."""
        self.stopping = self.stopping or (reason, code)
        self.more_to_do.set()

    @property
    def is_idle(self) -> bool:
        return not self.waiting and self.current is None

    # reading

    async def _read(self) -> None:
        while self.stopping is None:
            try:
                event = await self.socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                raise Gone("closed") from None
            if event["type"] == "websocket.disconnect":
                raise Gone("closed")
            self.heard_s = time.monotonic()
            self.flood.message(self.heard_s)
            message = None
            try:
                message = self._message(event)
                await self._handle(message)
            except Fault as fault:
                await self._tell(fault, message)

    async def _tell(self, fault: Fault, message: ClientMessage | None) -> None:
        """Answer a message that could not be acted on. Raises the fault where it is the end."""
        if fault.code is FaultCode.UNAUTHORIZED or isinstance(fault, Final):
            raise fault
        if fault.code is FaultCode.INVALID_MESSAGE:
            self.flood.mistake()
        speech = message.request_id if isinstance(message, Speak | Cancel) else None
        await self.wire.fault(fault, speech)

    def _message(self, event: Mapping[str, Any]) -> ClientMessage:
        text = event.get("text")
        if not isinstance(text, str):
            raise Fault(FaultCode.INVALID_MESSAGE, "this socket takes text messages alone")
        limit = self.settings.max_message_bytes
        if len(text.encode("utf-8", "surrogatepass")) > limit:
            raise Fault(FaultCode.INVALID_MESSAGE, f"a message has at most {limit} bytes")
        return parse(text)

    async def _handle(self, message: ClientMessage) -> None:
        if isinstance(message, Start) and self.principal is None:
            await self.identify(message.auth_token)
        if isinstance(message, Ping):
            return await self.wire.say("pong")
        if isinstance(message, Stop):
            return self.stop(message.reason or "client")
        if self.early is None:
            return await self._act(message)
        self.early.keep(message, is_known=self.principal is not None)

    async def _act(self, message: ClientMessage) -> None:
        if isinstance(message, Start):
            await self._start(message)
        elif isinstance(message, Cancel):
            await self._cancel(message.request_id)
        elif isinstance(message, Speak):
            self._speak(message)

    async def _start(self, message: Start) -> None:
        """Settle the options. A voice that is not there changes none of them."""
        if self.principal is None:
            raise Fault(FaultCode.UNAUTHORIZED, "an `authToken` is needed")
        options = self.options.changed(message)
        try:
            voice = await self.server.shelf.identify(options.voice)
            self.warming = asyncio.create_task(self._warm(options.voice))
        except Fault as fault:
            if message.voice is not None:
                self.options = replace(self.options, legacy=False)
                raise
            voice = None  # told when it is spoken with
            logger.info("session without a voice: %s", fault.code)
        self.options = options
        self.contract_id = message.contract_id or self.contract_id
        if self.where.state is not SessionState.SPEAKING:
            self.where.to(SessionState.STARTED)
        await self.wire.say(
            "started", sampleRate=options.sample_rate, encoding=options.encoding, voice=voice
        )

    async def _warm(self, voice: str | None) -> None:
        """Prepare the voice while the client is still thinking; `speak` tells what is wrong."""
        with contextlib.suppress(Fault):
            await self.server.shelf.resolve(voice)

    async def _cancel(self, request_id: str | None) -> None:
        """Without an id all speeches of the session end. With nothing to cancel nothing is said."""
        for utterance in (*([self.current] if self.current else []), *self.waiting):
            if request_id in (None, utterance.label):
                utterance.cancel()
        if self.current is not None and self.current.cancelled:
            return  # `_talk` comes to them in a moment, so that they are answered in their order
        dropped = [u for u in self.waiting if u.cancelled]
        self.waiting = deque(u for u in self.waiting if not u.cancelled)
        for utterance in dropped:
            await utterance.deliver(self.server.speaker, self.wire)

    def _speak(self, message: Speak) -> None:
        if self.principal is None:
            raise Fault(FaultCode.UNAUTHORIZED, "send `start` with an `authToken` first")
        if (open_one := self._open_stream(message.request_id)) is not None:
            last = message.more is not True
            return open_one.feed(message.text, last, self.settings.max_text_chars)
        if message.more is False and not message.text:
            return  # the end of a text that has ended otherwise
        if sum(not utterance.cancelled for utterance in self.waiting) >= MAX_WAITING:
            raise Fault(
                FaultCode.RATE_LIMITED,
                f"{MAX_WAITING} texts are waiting in this session already; cancel or wait",
                retry_after_s=1.0,
            )
        self.server.limits.request(self.principal)
        utterance = Utterance(
            message,
            self.options,
            self.principal,
            is_stream=message.more is True,
        )
        if utterance.is_stream:
            utterance.feed(message.text, False, self.settings.max_text_chars)
        self.waiting.append(utterance)
        self.more_to_do.set()

    def _open_stream(self, request_id: str | None) -> Utterance | None:
        """The speech whose text this message goes on with."""
        for utterance in (*self.waiting, *([self.current] if self.current else [])):
            is_open = utterance.is_stream and not utterance.ended and not utterance.cancelled
            if is_open and utterance.label == request_id:
                return utterance
        return None

    # speaking

    async def _talk(self) -> None:
        await self._get_ready()
        while self.stopping is None:
            if not self.waiting:
                self.more_to_do.clear()
                await self.more_to_do.wait()
                continue
            self.current = self.waiting.popleft()
            if self.where.state is SessionState.READY:
                self.where.to(SessionState.STARTED)
            self.where.to(SessionState.SPEAKING)
            try:
                await self.current.deliver(self.server.speaker, self.wire)
            finally:
                self.current = None
                self.heard_s = time.monotonic()
            self.where.to(SessionState.READY)

    async def _get_ready(self) -> None:
        """Wait for the model, telling how far it is; then say `ready`, then do what came before."""
        model = self.server.model
        while self.principal is None and model.state is not ModelState.READY:
            await asyncio.sleep(0.05)  # only who is known may have a model loaded
        while True:
            loading = asyncio.ensure_future(model.get())
            try:
                while not (await asyncio.wait({loading}, timeout=LOADING_EVERY_S))[0]:
                    eta_ms = None if model.eta_s is None else round(1000 * model.eta_s)
                    await self.wire.say("loading", progress=round(model.progress, 3), etaMs=eta_ms)
                synthesizer = loading.result()
                break
            except Fault as fault:
                await self.wire.fault(fault)
                await asyncio.sleep(fault.retry_after_s or 5.0)
            finally:
                loading.cancel()
        await self._say_ready(synthesizer.kind, synthesizer.languages, bool(synthesizer.voices))
        assert self.early is not None
        while (message := self.early.next()) is not None:  # more may come meanwhile
            try:
                await self._act(message)
            except Fault as fault:
                await self._tell(fault, message)
        self.early = None

    async def _say_ready(self, kind: str, languages: list[str], presets: bool) -> None:
        try:
            voice = (await self.server.shelf.resolve(None)).id
        except Fault:
            voice = None
        spoken = [name.title() for name in languages if not name.endswith("dialect")]
        self.where.to(SessionState.READY)
        await self.wire.say(
            "ready",
            sessionId=self.id,
            voiceLoaded=voice is not None,
            capabilities={
                "streaming": True,
                "languages": spoken,
                "cloning": kind == "base",
                "instructions": kind != "base",
                "presets": presets,
                "maxTextChars": self.settings.max_text_chars,
            },
            sampleRate=self.options.sample_rate,
            encoding=self.options.encoding,
            voice=voice,
            model=self.server.model.name,
            protocolVersion=PROTOCOL,
        )

    # the clock

    async def _watch(self) -> None:
        """Ends sessions that never say who they are, that fall silent, and all at shutdown."""
        began_s, limit_s = time.monotonic(), self.settings.auth_timeout_s
        while self.stopping is None:
            await asyncio.sleep(0.1)
            now_s = time.monotonic()
            if self.principal is None and now_s - began_s > limit_s:
                raise Fault(FaultCode.UNAUTHORIZED, f"no `authToken` within {limit_s:g} s")
            if not self.is_idle:
                continue
            if self.server.limits.draining:
                self.stop("shutdown", GOING_AWAY)
            elif now_s - self.heard_s > self.settings.idle_timeout_s:
                self.stop("idle")
