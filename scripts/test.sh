#!/usr/bin/env bash
# Runs the test suite, in two processes of one thread each. Arguments are those of pytest, which then
# runs what they name in one process (add `-n 2` for two).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
lseg_setup "[dev]"
cd "$root"
if [ $# = 0 ]; then
  # A file's tests stay together, for they share networks; files are taken in their order, so that
  # the long ones of tests/convert come early.
  set -- -n 2 --dist loadfile --no-loadscope-reorder
fi
exec python -m pytest "$@"
