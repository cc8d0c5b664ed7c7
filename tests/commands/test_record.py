"""The options of a run beside its results, and runs from them."""

import numpy as np
import pytest
from drawing import names
from PIL import Image

from lseg.commands.depth import depth
from lseg.commands.embed import embed
from lseg.commands.evaluate import evaluate
from lseg.commands.export import export
from lseg.commands.fewshot import fewshot
from lseg.commands.options.depth import DepthOptions
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.options.export import ExportOptions
from lseg.commands.options.fewshot import FewShotOptions
from lseg.commands.options.predict import PredictOptions
from lseg.commands.options.query import QueryOptions
from lseg.commands.parser import parse_options
from lseg.commands.predict import predict
from lseg.commands.query import query
from lseg.commands.record import OptionsRecord
from lseg.errors import LSegError

LABELS = "sky,road,other"


def recorded(name, options, file):
    """Checks that a file holds these options."""
    assert parse_options(name, type(options), ["--config", str(file)]) == options
    assert not list(file.parent.glob(".*"))


def test_commands_about_pictures_keep_their_options_in_the_folder(
    checkpoint, depth_folder, pictures, tmp_path
):
    images, model = (str(pictures),), str(checkpoint)
    out = tmp_path / "predictions"
    options = PredictOptions(images=images, labels=LABELS, checkpoint=model, out=out, flip=True)
    predict(options)
    recorded("predict", options, out / "predict.yaml")
    out = tmp_path / "embeddings"
    options = EmbedOptions(images=images, checkpoint=model, out=out, scales=(0.5, 1.0), pca="4")
    embed(options)
    recorded("embed", options, out / "embed.yaml")
    out = tmp_path / "depth"
    options = DepthOptions(images=images, checkpoint=str(depth_folder), out=out, size=64)
    depth(options)
    recorded("depth", options, out / "depth.yaml")
    embed(EmbedOptions(images=images, checkpoint=model, out=tmp_path / "full"))
    out = tmp_path / "queried"
    options = QueryOptions(embeddings=(str(tmp_path / "full"),), labels=LABELS, out=out)
    query(options)
    recorded("query", options, out / "query.yaml")


def test_commands_that_write_a_file_keep_their_options_beside_it(
    checkpoint, data, tmp_path, monkeypatch
):
    root, model, out = str(data), str(checkpoint), tmp_path / "figures.json"
    options = EvaluateOptions(
        dataset="pairs", data_root=root, checkpoint=model, out=out, workers=0, scales=(0.5, 1.0)
    )
    evaluate(options)
    recorded("evaluate", options, tmp_path / "figures.json.yaml")
    out = tmp_path / "fewshot.json"
    options = FewShotOptions(
        benchmark="pairs", data_root=root, checkpoint=model, out=out, fold="1", size=64, workers=0,
        background_label="other",
    )  # fmt: skip
    fewshot(options)
    recorded("fewshot", options, tmp_path / "fewshot.json.yaml")
    out = tmp_path / "model.pt2"
    # Exporting takes half a minute, and is tested elsewhere.
    monkeypatch.setattr("lseg.commands.export.export_model", lambda _, path: path.touch() or 0.0)
    options = ExportOptions(checkpoint=model, out=out)
    export(options)
    recorded("export", options, tmp_path / "model.pt2.yaml")


def test_a_run_can_be_made_again_from_its_record(run, checkpoint, pictures, tmp_path):
    line = ["--labels", LABELS, "--checkpoint", checkpoint, "--scales", "0.5", "1", "--flip"]
    run("predict", pictures, *line, "--out", tmp_path / "one")
    record = tmp_path / "one" / "predict.yaml"
    code, _, err = run("predict", "--config", record, "--out", tmp_path / "two")
    assert code == 0, err
    assert names(tmp_path / "one") == names(tmp_path / "two")
    for name in ("a.png", "b.png"):
        maps = [np.asarray(Image.open(tmp_path / out / name)) for out in ("one", "two")]
        assert np.array_equal(*maps)
    run("predict", pictures / "a.png", "--config", record, "--out", tmp_path / "three")
    assert names(tmp_path / "three") == ["a.json", "a.overlay.png", "a.png", "predict.yaml"]


def test_somebody_else_s_file_of_that_name_is_not_overwritten(
    refused, checkpoint, pictures, tmp_path
):
    mine = tmp_path / "predict.yaml"
    mine.write_text("# my options\nflip: true\n")
    message = refused(
        "predict", pictures, "--config", mine, "--labels", LABELS, "--checkpoint", checkpoint,
        "--out", tmp_path,
    )  # fmt: skip
    assert str(mine) in message
    assert mine.read_text() == "# my options\nflip: true\n"
    assert names(tmp_path) == ["pictures", "predict.yaml"]


def test_the_first_process_alone_writes_the_record(tmp_path, monkeypatch):
    record = OptionsRecord.beside(tmp_path / "m.pt2", "export", ExportOptions(out=tmp_path))
    monkeypatch.setenv("RANK", "1")
    record.write()
    assert names(tmp_path) == []
    monkeypatch.setenv("RANK", "0")
    record.write()
    assert names(tmp_path) == ["m.pt2.yaml"]


def test_a_folder_where_the_record_would_be_is_refused(tmp_path):
    (tmp_path / "embed.yaml").mkdir()
    options = EmbedOptions(images=["a.png"], out=tmp_path)
    with pytest.raises(LSegError, match=r"embed\.yaml"):
        OptionsRecord.in_folder(tmp_path, "embed", options)
