#!/usr/bin/env bash
# Trains. Without arguments: the embedded default (configs/quickstart.yaml), minutes on two cores.
# Arguments are those of `lseg fit`:
#   bash scripts/train.sh --config configs/coco_panoptic200.yaml --trainer.max_epochs 2
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
lseg_setup ""
case " $* " in
  *" --config"*) exec lseg fit "$@" ;;
  *) exec lseg fit --config "$root/configs/quickstart.yaml" "$@" ;;
esac
