#!/usr/bin/env bash
# Builds the oracle: the official package in a virtual environment of its own.
#   validation/setup_oracle.sh [FOLDER]      default: build/oracle
# Its torch is the project's, so that both sides use the same kernels and random streams.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/build/oracle}
[ -x "$folder/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder"
folder=$(cd "$folder" && pwd)
"$folder/bin/pip" install -q "$(grep '^torch==' "$root/constraints.txt")"
# The official package's own pins; what it requires besides serves the 25 Hz tokenizer and the demo.
"$folder/bin/pip" install -q transformers==4.57.3 accelerate==1.12.0 \
    einops librosa onnxruntime safetensors soundfile
"$folder/bin/pip" install -q --no-deps qwen-tts==0.1.1
cd "$root/validation"
"$folder/bin/python" -c "import oracle_stub, qwen_tts" >/dev/null
echo "export QWEN3_TTS_ORACLE=$folder/bin/python"
