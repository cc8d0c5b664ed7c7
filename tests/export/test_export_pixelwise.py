"""Networks for depth, normals and fixed classes as programs, from folders of others."""

import json

import numpy as np
import pytest
import torch
from dpt_family import depth_anything, dpt_beit, save_peer, tipsv2_dpt, zoedepth

from lseg.checkpoints.load import load_model
from lseg.cli import main
from lseg.convert.checkpoint import ConvertOptions, convert
from lseg.export.interface import interface_of

FORMS = {  # of each kind of odd grid and of positions one
    "depth_anything": (lambda: depth_anything("metric"), None, "depth", 3),
    "normals": (tipsv2_dpt, "normals", "normals", 4),
    "beit": (dpt_beit, None, "depth", 3),
    "zoedepth": (lambda: zoedepth("nyu", "kitti"), None, "depth", 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_the_command_exports_a_folder_as_it_is(tmp_path, capsys, name):
    import onnx
    import onnxruntime

    build, task, output, ndim = FORMS[name]
    folder, path = save_peer(build(), tmp_path / "theirs"), tmp_path / "model.onnx"
    if task is not None:
        convert(folder, tmp_path / "ours", ConvertOptions(task=task))
        folder = tmp_path / "ours"
    assert main(["export", "--checkpoint", str(folder), "--out", str(path)]) == 0
    assert "of the network's" in capsys.readouterr().out
    model, session = load_model(folder), onnxruntime.InferenceSession(path)
    for height, width in [(56, 56), (65, 93), (98, 126)]:
        pixels = torch.randn(1, 3, height, width)
        found = session.run([output], {"pixels": pixels.numpy()})[0]
        with torch.no_grad():
            wanted = model(pixels).numpy()
        assert found.shape == wanted.shape
        assert found.ndim == ndim
        assert np.abs(found - wanted).max() < 1e-4
    told = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert interface_of(model).meaning in told[output]
    assert json.loads(told["config"]) == model.config.to_dict()
