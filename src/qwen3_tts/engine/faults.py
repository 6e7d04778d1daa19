"""What went wrong in a request, in the words of its caller."""

from qwen3_tts.errors import OutOfMemory, SpeechError, StreamFailed


def is_out_of_memory(error: Exception) -> bool:
    words = ("out of memory", "can't allocate memory", "not enough memory")
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(word in text for word in words)


def as_stream_error(error: Exception) -> Exception:
    """What the caller of a failed request gets: a `SpeechError`, with its cause."""
    if isinstance(error, SpeechError):
        return error
    failed: StreamFailed
    if is_out_of_memory(error):
        failed = OutOfMemory("out of memory: the newest request was dropped; try again later")
        error = error.with_traceback(None)  # which would hold on to the tensors of the failed step
    else:
        failed = StreamFailed(f"the engine failed on this request: {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
