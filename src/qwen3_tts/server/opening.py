"""The engine that the settings name."""

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.server.settings import ServerSettings


def open_engine(settings: ServerSettings) -> Synthesizer:
    """Load it; takes seconds to minutes. Raises `SpeechError`."""
    if settings.engine == "fake":
        from qwen3_tts.backends.fake import FakeSynthesizer

        return FakeSynthesizer(max_rows=settings.max_rows, max_queue=settings.max_queue)
    from qwen3_tts.backends.registry import open_engine  # torch comes with it

    return open_engine(
        settings.model,
        device=settings.device,
        dtype=settings.dtype,
        revision=settings.revision,
        offline=settings.offline,
        max_rows=settings.max_rows,
        max_queue=settings.max_queue,
    )
