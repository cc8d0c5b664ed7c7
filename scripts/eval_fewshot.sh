#!/usr/bin/env bash
# Runs a whole few-shot table and writes it as Markdown; arguments are those of eval_fewshot.py:
#   bash scripts/eval_fewshot.sh BENCHMARK "CHECKPOINT_{fold}" OUT [--shots 0 1 5] [lseg fewshot's]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
lseg_setup ""
exec python "$root/scripts/eval_fewshot.py" "$@"
