"""Speak through the server with OpenAI's own client: a file, a stream, and events.

qwen3-tts serve                                   # in another terminal
python examples/openai_client.py                  # needs: pip install openai
python examples/openai_client.py http://host:8000/v1 speech
"""

import base64
import json
import os
import sys

from openai import OpenAI

TEXT = "Hello. The client is OpenAI's, the voice is not."


def whole(client: OpenAI, path: str) -> None:
    """One answer, one file."""
    answer = client.audio.speech.create(
        model="tts-1", voice="alloy", input=TEXT, extra_body={"stream": False, "seed": 1}
    )
    answer.write_to_file(path)
    told = answer.response.headers
    print(f"{path}: {told['x-audio-duration-ms']} ms of speech, ended by {told['x-finish-reason']}")


def streamed(client: OpenAI, path: str) -> None:
    """Samples as they are made: 16 bits, little-endian, mono, 24,000 a second."""
    with (
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=TEXT, response_format="pcm", speed=1.2
        ) as answer,
        open(path, "wb") as file,
    ):
        for samples in answer.iter_bytes():
            file.write(samples)
    print(f"{path}: {os.path.getsize(path) / 2 / 24_000:.2f} s of speech")


def events(client: OpenAI, path: str) -> None:
    """The file in pieces of base64, then what it cost."""
    with (
        client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=TEXT, response_format="opus", stream_format="sse"
        ) as answer,
        open(path, "wb") as file,
    ):
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            event = json.loads(line.removeprefix("data: "))
            if event["type"] == "speech.audio.delta":
                file.write(base64.b64decode(event["audio"]))
            elif event["type"] == "speech.audio.done":
                print(f"{path}: {event['usage']}, seed {event['seed']}")


def main(base_url: str = "http://127.0.0.1:8000/v1", folder: str = ".") -> None:
    os.makedirs(folder, exist_ok=True)
    with OpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "none")) as client:
        print("models:", ", ".join(model.id for model in client.models.list()))
        whole(client, os.path.join(folder, "whole.mp3"))
        streamed(client, os.path.join(folder, "streamed.pcm"))
        events(client, os.path.join(folder, "events.opus"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
