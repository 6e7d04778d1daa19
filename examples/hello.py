"""Speak a sentence into a file with nothing downloaded.

Until a trained checkpoint ships with the package, this makes a tiny one with random weights on the
spot. It has the real architecture and takes the real path from text to sound, but it was never
trained: what it says is noise.
"""

import sys
import tempfile
from pathlib import Path

import qwen3_tts
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.weights.random import write_random_checkpoint

TEXT = "Hello. This is what a voice sounds like before it has learnt to speak."


def main(output: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder)
        write_random_checkpoint(
            checkpoint, "custom_voice", seed=0, special_ids=write_byte_tokenizer(checkpoint)
        )
        tts = qwen3_tts.load(checkpoint)
        speech = tts.synthesize(TEXT, voice="ryan", language="English", seed=1, max_frames=38)
    speech.save(output)
    print(f"text: {TEXT}")
    print("model: a tiny checkpoint with random weights, made just now. It is untrained: noise.")
    print(
        f"{output}: {speech.duration_s:.2f} s at {speech.sample_rate} Hz, {len(speech.codes)} "
        f"frames, seed {speech.seed}, made at {speech.timing.x_realtime:.1f}x realtime"
    )
    print("a real voice: qwen3-tts say 'Hello.' --model Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "hello.wav")
