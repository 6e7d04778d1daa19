"""The engine that the settings name."""

import logging

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.errors import HubError
from qwen3_tts.server.settings import ServerSettings

logger = logging.getLogger(__name__)


def open_engine(settings: ServerSettings) -> Synthesizer:
    """Load it; takes seconds to minutes. Raises `SpeechError`."""
    if settings.engine == "fake":
        from qwen3_tts.backends.fake import FakeSynthesizer

        return FakeSynthesizer(
            max_rows=settings.max_rows,
            max_queue=settings.max_queue,
            text_timeout_s=settings.start_text_timeout_s,
        )
    from qwen3_tts.backends.registry import open_engine  # torch comes with it

    return open_engine(
        settings.model,
        device=settings.device,
        dtype=settings.dtype,
        quantize=settings.quantize,
        revision=settings.revision,
        offline=settings.offline,
        max_rows=settings.max_rows,
        max_queue=settings.max_queue,
        text_timeout_s=settings.start_text_timeout_s,
    )


def check_model(settings: ServerSettings) -> None:
    """Raise now what loading would raise later, as far as files on this machine can tell.

    A hub id that is yet to be fetched passes. Raises `CheckpointError`.
    """
    if settings.engine == "fake":
        return
    from qwen3_tts.backends.describe import describe, locate

    try:
        folder = locate(settings.model, revision=settings.revision, offline=True)
    except HubError as error:
        if settings.offline:
            raise
        logger.info("the model is not here yet: %s", error)
        return
    describe(folder)
