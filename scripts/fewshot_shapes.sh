#!/usr/bin/env bash
# The zero-shot and few-shot benchmark in small: trains and evaluates the four folds of the shapes
# world, about 15 minutes of processor time. Takes the folder of the results, by default
# runs/shapes; further arguments go to the trainings (`lseg fit`).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
lseg_setup ""
out="${1:-runs/shapes}"
for fold in 0 1 2 3; do
  lseg fit --config "$root/configs/zeroshot/shapes_fold$fold.yaml" \
    --trainer.default_root_dir "$out/fold$fold" "${@:2}"
done
exec python "$root/scripts/eval_fewshot.py" shapes "$out/fold{fold}/model" "$out" \
  --shots 0 1 5 --without-text --episodes 160 --workers 0
