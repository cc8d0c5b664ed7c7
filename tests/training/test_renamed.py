"""Class paths: the public ones, and those of configurations of earlier versions."""

import subprocess
import sys

import pytest
import yaml

import lseg.data
from lseg.data import (
    PairsDataModule,
    PascalBenchmark,
    ShapesBenchmark,
    ShapesDataModule,
    ZeroShotDataModule,
)
from lseg.training.configs import read_config
from lseg.training.renamed import FORMER_PATHS

FORMER = "lseg.data.datamodule.ShapesDataModule"
LOADERS = {"batch_size": 3, "val_batch_size": 2, "workers": 1, "seed": 5, "repeat": 4}


@pytest.fixture
def start(network, tmp_path):
    """Arguments that name a tiny network and no data."""
    path = tmp_path / "network.yaml"
    path.write_text(yaml.safe_dump({"model": {"network": network.to_dict()}}))
    return ["--config", str(path)]


def test_public_names_are_classes_of_those_names_and_come_without_torch():
    assert all(getattr(lseg.data, name).__name__ == name for name in lseg.data.__all__)
    with pytest.raises(AttributeError, match="Pears"):
        _ = lseg.data.Pears
    code = "import sys, lseg.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_former_path_is_a_public_name_now():
    assert len(FORMER_PATHS) == 9
    for former, path in FORMER_PATHS.items():
        assert path.rsplit(".", 1)[-1] == former.rsplit(".", 1)[-1] in lseg.data.__all__


@pytest.mark.parametrize("path", ["lseg.data.ShapesDataModule", FORMER, "ShapesDataModule"])
@pytest.mark.parametrize(
    "form", [["--data", "{}"], ["--data={}"], ["--data.class_path={}"], ["--data.class_path", "{}"]]
)
def test_the_command_line_takes_public_former_and_short_names(build, start, path, form):
    data = build(*start, *[part.format(path) for part in form], "--data.fold=2").datamodule
    assert type(data) is ShapesDataModule
    assert (data.fold, data.batch_size, data.val_batch_size) == (2, 16, 16)


def test_yaml_on_the_command_line_is_renamed_too(build, start):
    data = build(*start, "--data", f"{{class_path: {FORMER}, init_args: {{fold: 1}}}}").datamodule
    assert type(data) is ShapesDataModule
    assert data.fold == 1


@pytest.mark.parametrize("prefix", ["data.", "former"])
@pytest.mark.parametrize("based", [False, True])
def test_a_configuration_of_an_earlier_version_builds(build, start, tmp_path, prefix, based):
    former = {
        "ZeroShotDataModule": "lseg.data.zeroshot.",
        "ShapesBenchmark": "lseg.data.shapes_source.",
    }
    paths = {
        name: f"lseg.data.{name}" if prefix == "data." else former[name] + name for name in former
    }
    benchmark = {"class_path": paths["ShapesBenchmark"], "init_args": {"size": 40}}
    path = tmp_path / "old.yaml"
    arguments = {"benchmark": benchmark, "fold": 3, "batch_size": 4}
    path.write_text(
        yaml.safe_dump({
            "data": {"class_path": paths["ZeroShotDataModule"], "init_args": arguments}
        })
    )  # fmt: skip
    if based:
        (tmp_path / "child.yaml").write_text("base: old.yaml\ndata: {init_args: {fold: 1}}\n")
        path = tmp_path / "child.yaml"
    data = build(*start, "--config", path, "--data.init_args.batch_size", "5").datamodule
    assert type(data) is ZeroShotDataModule
    assert (type(data.benchmark), data.benchmark.size) == (ShapesBenchmark, 40)
    assert (data.fold, data.batch_size, data.val_batch_size) == (1 if based else 3, 5, 6)


def test_a_benchmark_may_be_named_by_its_former_path(build, start, tmp_path):
    data = build(
        *start,
        "--data=ZeroShotDataModule",
        "--data.benchmark=lseg.data.benchmarks.PascalBenchmark",
        f"--data.benchmark.root={tmp_path}",
    ).datamodule
    assert type(data.benchmark) is PascalBenchmark


def test_another_class_takes_none_of_the_arguments_of_the_one_before(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "data: {class_path: lseg.data.ShapesDataModule, init_args: {fold: 1, size: 64}}\n"
    )
    (tmp_path / "b.yaml").write_text(
        "base: a.yaml\ndata: {class_path: lseg.data.PairsDataModule, init_args: {root: x}}\n"
    )
    (tmp_path / "c.yaml").write_text(
        f"base: a.yaml\ndata: {{class_path: {FORMER}, init_args: {{fold: 2}}}}\n"
    )
    (tmp_path / "d.yaml").write_text("data: {init_args: {fold: 3}}\n")
    (tmp_path / "e.yaml").write_text("base: [d.yaml, c.yaml]\n")
    assert read_config(tmp_path / "e.yaml")["data"]["init_args"] == {"fold": 2, "size": 64}
    (tmp_path / "f.yaml").write_text(f"base: d.yaml\ndata: {{class_path: {FORMER}}}\n")
    assert read_config(tmp_path / "f.yaml")["data"]["init_args"] == {"fold": 3}
    assert read_config(tmp_path / "b.yaml")["data"]["init_args"] == {"root": "x"}
    assert read_config(tmp_path / "c.yaml")["data"]["init_args"] == {"fold": 2, "size": 64}


@pytest.mark.parametrize("prefix", ["data.init_args", "data"])
@pytest.mark.parametrize("kind", [PairsDataModule, ShapesDataModule, ZeroShotDataModule])
def test_loader_options_stand_beside_those_of_the_data(build, start, prefix, kind):
    needed = {
        PairsDataModule: ["--data.root=anywhere"],
        ShapesDataModule: [],
        ZeroShotDataModule: ["--data.benchmark=lseg.data.ShapesBenchmark"],
    }
    options = [f"--{prefix}.{name}={value}" for name, value in LOADERS.items()]
    data = build(*start, f"--data=lseg.data.{kind.__name__}", *needed[kind], *options).datamodule
    assert type(data) is kind
    assert {name: getattr(data, name) for name in LOADERS} == LOADERS
