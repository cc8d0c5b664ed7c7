import pytest
import timm
import torch

import lseg
from lseg.evaluation.report import listed, print_scores, print_table, versions


def test_versions_are_those_of_the_imported_packages():
    found = versions()
    assert found["lseg"] == lseg.__version__
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found["timm"] == timm.__version__


def test_scores_are_printed_class_by_class_with_their_means(capsys):
    figures = {"per_class": {"sky": 12.345, "road": None}, "miou": 12.345, "pixel_accuracy": 67.891}
    print_scores("tiny on data", figures)
    out, err = capsys.readouterr()
    assert err == ""
    assert "tiny on data" in out
    rows = [line.replace("│", " ").split() for line in out.splitlines()]
    for row in (["sky", "12.3"], ["road", "-"], ["mIoU", "12.35"], ["pixel", "accuracy", "67.89"]):
        assert row in rows


@pytest.mark.parametrize("name", ["[other]", "[/x]", ":car:", "a [b] c"])
def test_names_are_printed_as_they_are(capsys, name):
    print_table(f"results of {name}", ["class", "IoU %"], [[name, "1.0"]])
    assert capsys.readouterr().out.count(name) == 2


def test_every_figure_that_there_is_is_printed_with_the_interval(capsys):
    figures = {
        "per_class": {"sky": 1.0}, "miou": 12.3, "miou_interval": [11.11, 13.5],
        "pixel_accuracy": 60.0, "mean_accuracy": 50.5, "fw_iou": 40.25, "seen_miou": 30.0,
    }  # fmt: skip
    print_scores("t", figures)
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for row in ("mean accuracy 50.50", "frequency-weighted IoU 40.25", "seen in training 30.00"):
        assert row in printed
    assert "95 % interval 11.11–13.50" in printed
    assert "not seen" not in printed


def test_a_list_is_cut_short_with_the_number_of_the_rest():
    assert listed(range(3)) == "0, 1, 2"
    assert listed("abcdefg", 2) == "a, b and 5 more"
