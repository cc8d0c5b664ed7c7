"""Engines that cannot be had, or not for this; Ray, which prints too, is not up here."""

import sys

import pytest


@pytest.mark.parametrize("command", ["evaluate", "suite", "fewshot", "embed"])
def test_without_ray_a_line_says_how_to_get_it(
    refused, five, checkpoint, command, tmp_path, monkeypatch
):
    suite = tmp_path / "suite.yaml"
    suite.write_text(f"- {{dataset: pairs, data_root: {five}}}\n")
    monkeypatch.delitem(sys.modules, "lseg.pipeline.ray_actors", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    words = {
        "evaluate": ["evaluate", "--dataset", "pairs", "--data-root", five],
        "suite": ["evaluate", "--suite", suite],
        "fewshot": ["fewshot", "--benchmark", "pairs", "--data-root", five],
        "embed": ["embed", five / "a.png", "--out", tmp_path / "embedded"],
    }[command]
    err = refused(*words, "--checkpoint", checkpoint, "--engine", "ray")
    assert err == 'lseg: --engine ray needs Ray Data: pip install "lseg[ray]"\n'


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (["--dataset", "pairs", "--devices", "2"], "with --engine ray give --actors 2"),
        (["--dataset", "pairs", "--predictions", "maps"], "--predictions needs none: leave it out"),
        (["--compare", "a.json", "b.json"], "--compare needs none: leave it out"),
    ],
)
def test_what_actors_do_not_do_is_refused(refused, five, more, wanted):
    assert wanted in refused("evaluate", "--data-root", five, "--engine", "ray", *more)


def test_processes_of_torchrun_are_not_for_ray(refused, five, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    words = ["evaluate", "--dataset", "pairs", "--data-root", five, "--engine", "ray"]
    assert "run it without torchrun" in refused(*words)
