"""Speak a sentence into a file, with nothing downloaded: `nano` ships inside the package."""

import sys

import qwen3_tts

TEXT = "Hello. This voice is small enough to live inside a package."


def main(output: str) -> None:
    tts = qwen3_tts.load("nano")
    speech = tts.synthesize(TEXT, seed=1)
    speech.save(output)
    print(f"text: {TEXT}")
    print(
        f"{output}: {speech.duration_s:.2f} s at {speech.sample_rate} Hz, {len(speech.codes)} "
        f"frames, seed {speech.seed}, made at {speech.timing.x_realtime:.1f}x realtime"
    )
    print("a large voice: qwen3-tts say 'Hello.' --model Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "hello.wav")
