#!/usr/bin/env bash
# What the server takes, with curl alone:  examples/speech.sh [http://127.0.0.1:8000] [folder]
# With a key: export OPENAI_API_KEY=...
set -euo pipefail
base=${1:-http://127.0.0.1:8000}
cd "${2:-.}"

speak() { # speak FILE JSON: one text to one file
  curl -fsS "$base/v1/audio/speech" \
    -H "Authorization: Bearer ${OPENAI_API_KEY:-none}" \
    -H "Content-Type: application/json" -d "$2" -o "$1"
  echo "$1: $(wc -c <"$1") bytes"
}

# mp3 in the default voice
speak hello.mp3 '{"input": "Hello."}'
# a voice, a language, a speed, a seed
speak slow.wav '{"input": "Hello.", "voice": "alloy", "language": "en", "speed": 0.8, "seed": 7,
                 "response_format": "wav"}'
# telephone samples: 8,000 a second, 16 bits
speak phone.pcm '{"input": "Hello.", "response_format": "pcm", "sample_rate": 8000}'
# one answer that knows its length, with headers that tell how it went
speak whole.flac '{"input": "Hello.", "response_format": "flac", "stream": false}'
# events with base64 in them
speak events.txt '{"input": "Hello.", "stream_format": "sse"}'

curl -fsS "$base/v1/audio/voices" -o voices.json
curl -fsS "$base/v1/models" -o models.json

# Play while it is made:
#   curl -sN $base/v1/audio/speech -H 'Content-Type: application/json' \
#     -d '{"input": "Hello.", "response_format": "pcm"}' | aplay -q -f S16_LE -r 24000
