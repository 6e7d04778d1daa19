"""The official package's classes over this one: same methods, arguments and returns.

Code written for `qwen_tts` runs after changing its import to
`from qwen3_tts.compat import Qwen3TTSModel, Qwen3TTSTokenizer, VoiceClonePromptItem`.
New code is better served by `qwen3_tts.load`: one call per task, and a result that knows its codes,
seed and timing.
"""

from qwen3_tts.compat.errors import CompatError, CompatTypeError
from qwen3_tts.compat.model import Qwen3TTSModel
from qwen3_tts.compat.prompts import VoiceClonePromptItem
from qwen3_tts.compat.tokenizer import EncoderOutput, Qwen3TTSTokenizer

__all__ = [
    "CompatError",
    "CompatTypeError",
    "EncoderOutput",
    "Qwen3TTSModel",
    "Qwen3TTSTokenizer",
    "VoiceClonePromptItem",
]
