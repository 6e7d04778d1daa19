"""The model behind the server: loaded once, when the server starts or when somebody first asks.

Loading takes seconds to minutes, so it runs in a thread of its own; however many ask meanwhile, it
happens once, and nobody waits for it when the server ends. A load that failed is tried again after
a pause that doubles. A model is `ready` when a probe sentence has become sound.
"""

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from pathlib import PurePath

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.server.faults import Fault, FaultCode

logger = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
PROBE = "Ready."
PROBE_FRAMES = 25  # 2 s: enough to pass through every stage
EXPECTED_LOAD_S = 20.0  # until a load has been measured


class ModelState(StrEnum):
    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    CLOSED = "closed"


class ModelHost:
    """`load` opens the model, in a thread; one event loop uses this object."""

    def __init__(
        self,
        load: Callable[[], Synthesizer],
        *,
        model_id: str,
        load_timeout_s: float = 120.0,
        idle_unload_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._load, self.model_id = load, model_id
        self.load_timeout_s, self.idle_unload_s = load_timeout_s, idle_unload_s
        self.clock = clock
        self.state = ModelState.UNLOADED
        self.failure = ""  # why the last load failed, as one line
        self.loads = 0
        self._synthesizer: Synthesizer | None = None
        self._loading: asyncio.Task[None] | None = None
        self._loader: threading.Thread | None = None
        self._began_s = self._load_s = 0.0
        self._pause_s, self._next_try_s = FIRST_PAUSE_S, 0.0
        self._users, self._last_used_s = 0, 0.0

    @property
    def name(self) -> str:
        """What callers are told. Of a folder the last part: where it lies is nobody's business."""
        path = PurePath(self.model_id)
        if path.is_absolute() or self.model_id.startswith((".", "~")):
            return path.name.strip(".~") or "model"
        return self.model_id

    @property
    def synthesizer(self) -> Synthesizer | None:
        """The model while it is ready; for looks only, `lease` is how to use it."""
        return self._synthesizer if self.state is ModelState.READY else None

    @property
    def progress(self) -> float:
        """How far the load is, 0..1, guessed from how long the last one took."""
        if self.state is ModelState.READY:
            return 1.0
        if self.state is not ModelState.LOADING:
            return 0.0
        return min(0.99, (self.clock() - self._began_s) / (self._load_s or EXPECTED_LOAD_S))

    @property
    def eta_s(self) -> float | None:
        """Seconds until the load is over, if one has been measured before."""
        if self.state is not ModelState.LOADING or not self._load_s:
            return None
        return max(0.0, self._load_s - (self.clock() - self._began_s))

    @property
    def is_loading(self) -> bool:
        """Whether a load is under way, wanted or not."""
        return self._loader is not None and self._loader.is_alive()

    @property
    def can_begin(self) -> bool:
        """Whether nothing is loaded and the next who asks has it loaded."""
        is_over = self.clock() >= self._next_try_s
        return self.state is ModelState.UNLOADED or (self.state is ModelState.FAILED and is_over)

    def complaint(self) -> str | None:
        """Why nothing can be spoken any more; None while all is well, and with nothing loaded."""
        if self._synthesizer is None or self.state is ModelState.CLOSED:
            return None  # an engine that is being closed says so, which is no death
        return self._synthesizer.complaint()

    def start(self) -> None:
        """Begin to load, if nothing is loaded or loading."""
        if self.state is ModelState.CLOSED:
            raise Fault(FaultCode.MODEL_LOADING, "the server is shutting down", recoverable=False)
        if self.state is ModelState.FAILED and self.clock() < self._next_try_s:
            raise Fault(
                FaultCode.MODEL_LOADING,
                "the model could not be loaded; it will be tried again soon",
                retry_after_s=max(1.0, self._next_try_s - self.clock()),
            )
        if self._loading is None and self._synthesizer is None:
            self.state, self._began_s = ModelState.LOADING, self.clock()
            self._loading = asyncio.create_task(self._run_load())

    def retry_if_failed(self) -> None:
        """Begin anew where a load failed and its pause is over."""
        if self.state is ModelState.FAILED and self.clock() >= self._next_try_s:
            self.start()

    async def get(self) -> Synthesizer:
        """The model, once it is ready. Raises `Fault` MODEL_LOADING after `load_timeout_s`."""
        self._last_used_s = self.clock()
        if self._synthesizer is not None:
            return self._synthesizer
        self.start()
        assert self._loading is not None
        try:
            async with asyncio.timeout(self.load_timeout_s):
                await asyncio.shield(self._loading)  # one caller's patience is not the others'
        except TimeoutError:
            raise Fault(
                FaultCode.MODEL_LOADING,
                f"the model is still loading after {self.load_timeout_s:g} s; try again",
                retry_after_s=self.eta_s or 10.0,
            ) from None
        if (loaded := self.synthesizer) is None:
            raise Fault(
                FaultCode.MODEL_LOADING,
                "the model could not be loaded; the server's log says why",
                retry_after_s=max(1.0, self._next_try_s - self.clock()),
            )
        return loaded

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Synthesizer]:
        """The model, which is not unloaded while the lease lasts."""
        self._users += 1
        try:
            yield await self.get()
        finally:
            self._users -= 1
            self._last_used_s = self.clock()

    async def _run_load(self) -> None:
        self.loads += 1
        try:
            model = await self._opened()
        except Exception as error:  # a border: whatever a load raises, the server stays
            logger.error("the model `%s` could not be loaded: %s", self.model_id, error)
            logger.debug("how it failed", exc_info=error)
            self.failure = str(error).partition("\n")[0]
            if self.state is ModelState.LOADING:
                self.state = ModelState.FAILED
            self._next_try_s = self.clock() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        else:
            self._arrived(model)
        finally:
            self._loading = None

    def _arrived(self, model: Synthesizer) -> None:
        if self.state is ModelState.CLOSED:  # nobody wants it any more
            model.close(drain=False)
            return
        self._last_used_s = self.clock()  # it may have taken longer than models stay idle
        self._load_s = self._last_used_s - self._began_s
        self._synthesizer, self.state = model, ModelState.READY
        self._pause_s, self.failure = FIRST_PAUSE_S, ""
        logger.info("the model `%s` is ready after %.1f s", self.model_id, self._load_s)

    async def _opened(self) -> Synthesizer:
        """`_open` in a daemon thread: those of `to_thread` would hold up the end of the process."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        done: asyncio.Future[Synthesizer] = loop.create_future()

        def settle(model: Synthesizer | None, error: BaseException | None) -> None:
            if done.done():  # cancelled, as the event loop ends
                return
            if model is not None:
                done.set_result(model)
            else:
                done.set_exception(error or RuntimeError("nothing was loaded"))

        def run() -> None:
            model, failure = None, None
            try:
                model = context.run(self._open)
            except BaseException as error:  # a border: it is raised where it is waited for
                failure = error
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(settle, model, failure)

        self._loader = threading.Thread(target=run, name="model loader", daemon=True)
        self._loader.start()
        return await done

    def _open(self) -> Synthesizer:
        """Load and have it speak: what cannot do that is not ready."""
        model = self._load()
        try:
            probe(model)
        except BaseException:
            model.close(drain=False)
            raise
        return model

    def unload_if_idle(self) -> bool:
        """Let the model go if `idle_unload_s` have passed without use. Returns whether it went."""
        if not self.idle_unload_s or self._users or self._synthesizer is None:
            return False
        if self.clock() - self._last_used_s < self.idle_unload_s:
            return False
        model, self._synthesizer, self.state = self._synthesizer, None, ModelState.UNLOADED
        logger.info("the model `%s` was idle and is unloaded", self.model_id)
        model.close(drain=False)
        return True

    def close(self) -> None:
        """Take no more requests and let the model go; streams that are under way end."""
        self.state = ModelState.CLOSED
        if self._synthesizer is not None:
            self._synthesizer.close(drain=False)
            self._synthesizer = None


def probe(model: Synthesizer) -> None:
    """Speak a word through every stage. A base checkpoint has no voice to speak with, so it is
    ready when it is loaded. Raises what speaking raises."""
    if model.kind == "base":
        return
    instruct = "A calm voice." if model.kind == "voice_design" else None
    speech = model.synthesize(
        PROBE, instruct=instruct, seed=1, max_frames=PROBE_FRAMES, guard="off"
    )
    if not len(speech.wave):
        raise RuntimeError("the probe sentence gave no sound")
