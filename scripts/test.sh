#!/usr/bin/env bash
# Runs the test suite; arguments are those of pytest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
lseg_setup "[dev]"
cd "$root"
exec python -m pytest "$@"
