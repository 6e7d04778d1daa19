"""Stand-ins for packages that the official package imports and this comparison never calls.

torchaudio and sox serve only the 25 Hz tokenizer, which no released checkpoint uses. Import this
module before `qwen_tts`.
"""

import importlib.machinery
import os
import sys
import types

UNUSED = ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "sox")


def install() -> None:
    """Make empty modules of these names importable."""
    for name in UNUSED:
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
install()
