import numpy as np
import torch
from drawing import draw

from lseg.embedding.presets import PRESETS
from lseg.inference.embeddings import embed_picture


def pixels(height, width):
    return torch.from_numpy(draw(height, width)).permute(2, 0, 1)


def encoded(model, image):
    """(C, h, w): what the network itself says."""
    return model.encode_image(model.normalize(image[None]))[0]


def test_presets_have_the_shapes_of_their_consumers(model):
    shapes = {}
    for name, preset in PRESETS.items():
        result = embed_picture(model, pixels(60, 80), preset.config)
        shapes[name] = (result.shape, result.config.dtype)
    assert shapes == {
        "openscene": ((16, 60, 80), "float16"),
        "feature3dgs": ((16, 360, 480), "float16"),
        "vlmaps": ((1, 16, 390, 520), "float32"),
        "vlmaps-h5": ((1, 16, 390, 520), "float32"),
        "langsplat": ((16, 60, 80), "float16"),
        "scenesplat": ((16, 60, 80), "float16"),
    }


def test_openscene_sees_twice_the_picture_and_resamples_nothing(model):
    image = pixels(48, 64)
    large = torch.nn.functional.interpolate(
        image[None], (96, 128), mode="bilinear", antialias=True
    )[0]
    mean = (encoded(model, large) + encoded(model, large.flip(-1)).flip(-1)) / 2
    wanted = torch.nn.functional.normalize(mean, dim=0).numpy()
    found = embed_picture(model, image, PRESETS["openscene"].config).array()
    np.testing.assert_allclose(found, wanted, atol=2e-3)
