#!/usr/bin/env bash
# Runs tests with the lowest versions that pyproject.toml allows, in an environment of its own.
# Arguments are those of pytest; without any, the parts that lean on libraries most are tested.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${LSEG_LOWEST_VENV:-$root/.venv-lowest}"
cd "$root"
if [ ! -x "$venv/bin/python" ]; then
  "${PYTHON:-python3.11}" -m venv "$venv"
fi
"$venv/bin/pip" install -q --no-compile -c constraints-lowest.txt -e ".[onnx]" \
  hypothesis pytest pytest-timeout pytest-xdist
if [ $# = 0 ]; then
  set -- tests/models/test_backbones.py tests/models/test_lseg.py tests/models/test_maps.py \
    tests/training tests/store tests/text/test_encoder.py tests/data/base \
    tests/commands/test_parser.py tests/commands/test_embed.py tests/commands/test_pictures.py \
    tests/commands/test_evaluate.py tests/export/test_export.py tests/test_locks.py
fi
exec "$venv/bin/python" -m pytest "$@"
