"""The official package as `vs_official.py` asks for it. Runs under that package's own Python.

    ORACLE/bin/python bench/official.py FOLDER float32|bfloat16 THREADS

Says {"load": seconds, ...} once it can speak, then for every line {"text", "frames", "seed"} on
stdin what that took: {"seconds", "codec seconds", "samples"}.
"""

import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "validation"))

import oracle_stub  # noqa: F401  (before the official package)
import torch
from qwen_tts import Qwen3TTSModel


def main(folder: str, dtype: str, threads: str) -> None:
    torch.set_num_threads(int(threads))
    start_s = time.perf_counter()
    tts = Qwen3TTSModel.from_pretrained(folder, dtype=getattr(torch, dtype))
    load_s = time.perf_counter() - start_s
    tokenizer = tts.model.speech_tokenizer
    decode, decodes = tokenizer.decode, []

    def timed(*args: object, **keywords: object) -> object:
        begun_s = time.perf_counter()
        result = decode(*args, **keywords)
        decodes.append(time.perf_counter() - begun_s)
        return result

    tokenizer.decode = timed
    speaker = tts.get_supported_speakers()[0]
    codec_dtype = str(next(tokenizer.model.parameters()).dtype).removeprefix("torch.")
    say({"load": load_s, "codec dtype": codec_dtype, "torch": torch.__version__})
    for line in sys.stdin:
        request = json.loads(line)
        torch.manual_seed(request["seed"])
        begun_s = time.perf_counter()
        waves, _ = tts.generate_custom_voice(
            request["text"],
            speaker=speaker,
            language="Auto",
            max_new_tokens=request["frames"] + 1,  # the last one is never heard
        )
        spent_s = time.perf_counter() - begun_s
        say({"seconds": spent_s, "codec seconds": decodes.pop(), "samples": len(waves[0])})


def say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
