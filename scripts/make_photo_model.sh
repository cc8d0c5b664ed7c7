#!/usr/bin/env bash
# Makes the embedded model `photo` anew, about half an hour on two cores, from the folder that LSEG_DATA
# names (coco_panoptic200, voc_aug21, camvid11, clip_text, efficientnet_lite2_imagenet). Arguments are
# those of `lseg fit`.
#
#   LSEG_DATA=../shared/data bash scripts/make_photo_model.sh
#
# Steps: trains (configs/photo.yaml), packs the network and its words into lseg/assets/photo, measures it
# on the suite of real photographs, and packs it again with these figures on its card. A run that was
# interrupted goes on from its newest checkpoint.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
lseg_setup ""
out=runs/photo
echo "1/4 training: configs/photo.yaml to $out"
lseg fit --config "$root/configs/photo.yaml" --resume auto "$@"
echo "2/4 packing: lseg/assets/photo"
python "$root/scripts/pack_photo_model.py" "$out"
echo "3/4 measuring: suites/real.yaml to $out/real.json"
lseg evaluate --suite "$root/suites/real.yaml" --checkpoint photo --out "$out/real.json"
echo "4/4 packing with these figures"
python "$root/scripts/pack_photo_model.py" "$out" --suite "$out/real.json"
