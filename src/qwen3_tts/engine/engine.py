"""The engine: requests in, streams out. Planning is done by the caller's thread, the rest by one
thread of the engine's own."""

import weakref
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar

from qwen3_tts.engine.chunks import ChunkPlanner
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.loop import Loop
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.plan import Planner
from qwen3_tts.engine.runner import EagerRunner, Runner
from qwen3_tts.engine.stream import Channel, Stream, TextFeed, TextStream
from qwen3_tts.engine.warm_up import warm_graphs, warm_up
from qwen3_tts.errors import Overloaded
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.incremental import IncrementalTokenizer
from qwen3_tts.types import Speech, SpeechRequest

T = TypeVar("T")


class Engine:
    """One model, any number of callers. `close` it, or use it as a context, to end its thread."""

    def __init__(
        self,
        model: SpeechModel,
        codec: Codec,
        planner: Planner,
        options: EngineOptions,
        runner: Runner | None = None,
    ):
        """`runner` does the loop's arithmetic; None takes the model's own modules."""
        self.model, self.codec, self.planner, self.options = model, codec, planner, options
        self.loop = Loop(runner or EagerRunner(model), codec, options)
        if options.warm_up:
            graphs = warm_graphs(self.loop.slots, options.chunk_plan)
            chores = warm_up(codec, planner.tokenizer, options.chunk_plan)
            self.loop.do_when_idle(chain(graphs, chores))
        # An engine that is dropped, or a program that ends, ends the thread.
        self.closed = weakref.finalize(self, Loop.close, self.loop, False)

    def run(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        """Speech for every request, in order. All are checked before any is made.

        They share steps as rows allow; more than the queue holds are handed in as it empties.
        """
        jobs = []
        for request in requests:  # no comprehension: warnings count the frames to the caller
            jobs.append(self.planner.plan(request))
        speeches: list[Speech] = []
        under_way: deque[Stream] = deque()
        for job in jobs:
            while True:
                try:
                    under_way.append(self._stream(self.loop.submit(job, None)))
                    break
                except Overloaded:  # by its own requests: the next goes in when one is done
                    if not under_way:
                        raise
                    speeches.append(under_way.popleft().result())
        return speeches + [stream.result() for stream in under_way]

    def stream(self, request: SpeechRequest) -> Stream:
        """Start a request whose sound leaves while it is made."""
        job = self.planner.plan(request)
        planner = ChunkPlanner(self.options.chunk_plan, self.loop.pace)
        return self._stream(self.loop.submit(job, planner))

    def open_stream(self, request: SpeechRequest) -> TextStream:
        """Start a request whose text arrives while its sound leaves."""
        job = self.planner.plan_open(request)
        planner = ChunkPlanner(self.options.chunk_plan, self.loop.pace)
        feed = TextFeed(IncrementalTokenizer(self.planner.tokenizer))
        channel = self.loop.submit(job, planner, feed)
        return TextStream(channel, self.codec.sample_rate, self)

    def _stream(self, channel: Channel) -> Stream:
        return Stream(channel, self.codec.sample_rate, self)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function that uses the device: on the engine's thread, which owns it.

        A CPU has room for both: there the caller's own thread runs it, and delays no stream.
        """
        if self.codec.device.type == "cpu":
            return function()
        return self.loop.call(function)

    def close(self, drain: bool = True) -> None:
        """End the thread: after finishing what it has, or at once with `drain=False`."""
        self.loop.close(drain)
