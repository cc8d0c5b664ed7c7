"""Codes of photographs by the embedded network, at three sizes."""

import numpy as np
import pytest
import torch
from needs import PHOTOS, needs_photos

from lseg.checkpoints.load import load_model
from lseg.data.base.images import load_image
from lseg.embedding.codes import CodeBasis, PictureCodes, codes_of, visible
from lseg.embedding.sidecar import CodesTold
from lseg.embedding.sources import CodeSource
from lseg.inference.embed_config import EmbedConfig
from lseg.inference.segmenter import Segmenter
from lseg.inference.views import resize_short_side, to_tensor
from lseg.models.maps import CroppedMaps, ResizedMaps, all_logits

LABELS = ["sky", "road", "tree", "car", "person", "grass", "building", "water"]


@needs_photos("coco_panoptic200")
@pytest.mark.parametrize(("size", "number"), [(160, 3), (225, 11), (288, 20)])
def test_logits_of_photographs_are_the_network_s(size, number):
    photo = sorted(PHOTOS.glob("coco_panoptic200/**/*.jpg"))[number]
    model = load_model("photo")
    result = Segmenter(model, size).embed_rows(photo, EmbedConfig())
    codes = codes_of(result.one_pass)
    grid, padding = tuple(codes.shape[-2:]), result.padding
    rows, columns = visible(result.sizes.network, padding, grid, 0)
    stored = PictureCodes.of(codes[0, :, :rows, :columns], "exact")
    told = CodesTold("", "", grid, result.sizes.output)
    basis = CodeBasis.of(result.one_pass.projection)
    vectors = model.encode_labels(LABELS)
    with torch.inference_mode():
        half = CodeSource(stored, basis, told).logits(
            model.config.logit_scale * vectors, model.spatial_block
        )
        maps = CroppedMaps(ResizedMaps(half, padding.input), result.sizes.network)
        found = all_logits(maps)[0].numpy()
        shown = resize_short_side(to_tensor(load_image(photo)), size)
        wanted = model(model.normalize(shown[None]), vectors)[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=0)
    assert np.array_equal(found.argmax(0), wanted.argmax(0))
