"""Every error a user can meet, with a stable `code` for machines.

    SpeechError
    |-- InvalidRequest            what was asked cannot be done; nothing was generated
    |   |-- InvalidText           empty, unspeakable or too long
    |   |-- UnknownVoice          no preset or installed voice of that name
    |   |-- UnknownLanguage
    |   |-- InvalidSampling       a sampling option out of range
    |   |-- InvalidAudio          a recording that cannot be read or cloned
    |   |-- InvalidVoice          a voice file or voice that does not fit this model
    |   `-- UnsupportedRequest    this checkpoint kind cannot do it (clone on a preset model, ...)
    |-- CheckpointError           the model's files
    |   |-- ModelNotFound         no such folder, file or hub id
    |   |-- InvalidConfig         a config.json that is missing keys or has unknown ones
    |   `-- InvalidWeights        missing, unexpected, mis-shaped, truncated or NaN tensors
    |-- HubError                  fetching a checkpoint
    |   |-- HubOffline            no network, or offline mode, and the files are not cached
    |   |-- HubAccess             gated or private: a token is needed
    |   |-- HubCorrupt            a downloaded file whose size or hash is wrong
    |   `-- DiskFull
    |-- StreamError               a request that was taken up could not be finished
    |   |-- Overloaded            the queue is full; `retry_after_s` says when to come back
    |   |-- Cancelled             the caller gave it up
    |   `-- StreamFailed          the engine failed while making it
    |       `-- OutOfMemory       for lack of memory; a later try may find some
    `-- MissingPackage            an optional package is not installed; says which command adds it

Messages are one line: what was given, then what is allowed or what to do.
"""


class SpeechError(Exception):
    """Root of all errors this package raises on purpose."""

    code = "speech_error"


class InvalidRequest(SpeechError):
    code = "invalid_request"


class InvalidText(InvalidRequest):
    code = "invalid_text"


class UnknownVoice(InvalidRequest):
    code = "unknown_voice"


class UnknownLanguage(InvalidRequest):
    code = "unknown_language"


class InvalidSampling(InvalidRequest):
    code = "invalid_sampling"


class InvalidAudio(InvalidRequest):
    code = "invalid_audio"


class InvalidVoice(InvalidRequest):
    code = "invalid_voice"


class UnsupportedRequest(InvalidRequest):
    code = "unsupported_request"


class CheckpointError(SpeechError):
    code = "checkpoint_error"


class ModelNotFound(CheckpointError):
    code = "model_not_found"


class InvalidConfig(CheckpointError):
    code = "invalid_config"


class InvalidWeights(CheckpointError):
    code = "invalid_weights"


class HubError(SpeechError):
    code = "hub_error"


class HubOffline(HubError):
    code = "hub_offline"


class HubAccess(HubError):
    code = "hub_access"


class HubCorrupt(HubError):
    code = "hub_corrupt"


class DiskFull(HubError):
    code = "disk_full"


class StreamError(SpeechError):
    code = "stream_error"


class Overloaded(StreamError):
    code = "overloaded"

    def __init__(self, message: str, retry_after_s: float):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Cancelled(StreamError):
    code = "cancelled"


class StreamFailed(StreamError):
    code = "stream_failed"


class OutOfMemory(StreamFailed):
    code = "out_of_memory"


class MissingPackage(SpeechError):
    code = "missing_package"


class SpeechWarning(UserWarning):
    """Something asked for has no effect on this checkpoint; speech is made all the same."""
