"""Speak over a WebSocket into a wav file, while the text still comes in.

    pip install websockets
    qwen3-tts serve
    python websocket_client.py hello.wav "Hello there."
    your-language-model | python websocket_client.py answer.wav

The text goes out as it is read, so sound arrives before its end is known. docs/websocket.md is the
protocol. A server that wants a key gets it from TTS_API_KEY.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import wave
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

URL = "ws://127.0.0.1:8000/api/v1/speak"
RATE = 24_000
REQUEST = "example"


async def speak(url: str, pieces: AsyncIterator[str], output: str, options: dict[str, Any]) -> None:
    """Write what the server makes of the text. Raises RuntimeError with its reason if not."""
    async with connect(url) as socket:
        await expect(socket, "ready")  # `loading` comes before it while the model loads
        await send(socket, "start", sampleRate=RATE, encoding="pcm16", **options)
        await expect(socket, "started")
        feeding = asyncio.create_task(feed(socket, pieces))
        try:
            await receive(socket, output)
        finally:
            feeding.cancel()


async def feed(socket: ClientConnection, pieces: AsyncIterator[str]) -> None:
    async for piece in pieces:
        await send(socket, "speak", text=piece, requestId=REQUEST, **{"continue": True})
    await send(socket, "speak", text="", requestId=REQUEST, **{"continue": False})


async def receive(socket: ClientConnection, output: str) -> None:
    began_s, first_s = time.perf_counter(), None
    with wave.open(output, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        while isinstance(sound := await next_message(socket), bytes):
            first_s = first_s or time.perf_counter() - began_s
            file.writeframes(sound)  # a player would play it here
    end = sound
    print(
        f"{output}: {end['audioLengthMs'] / 1000:.2f} s, first sound after {first_s or 0:.3f} s, "
        f"ended by {end['finishReason']}, seed {end['seed']}"
    )


async def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def expect(socket: ClientConnection, kind: str) -> None:
    while isinstance(message := await next_message(socket), bytes) or message["type"] != kind:
        pass


async def next_message(socket: ClientConnection) -> Any:
    """Sound as bytes, anything else as a dict."""
    message = await socket.recv()
    if isinstance(message, bytes):
        return message
    content = json.loads(message)
    if content["type"] == "error":
        raise RuntimeError(f"{content['code']}: {content['message']}")
    return content


async def words_of(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word + " "


async def lines_of_stdin() -> AsyncIterator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


def main() -> int:
    parser = argparse.ArgumentParser(description="Speak a text over a WebSocket into a wav file.")
    parser.add_argument("output")
    parser.add_argument("text", nargs="?", help="what to say; without it, standard input is read")
    parser.add_argument("--url", default=URL)
    parser.add_argument("--voice")
    parser.add_argument("--language")
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    options = {
        "voice": given.voice,
        "language": given.language,
        "seed": given.seed,
        "authToken": os.environ.get("TTS_API_KEY"),
    }
    known = {name: value for name, value in options.items() if value is not None}
    pieces = lines_of_stdin() if given.text is None else words_of(given.text)
    try:
        asyncio.run(speak(given.url, pieces, given.output, known))
    except (RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
