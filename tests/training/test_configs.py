import pytest
import yaml

from lseg.errors import ConfigError
from lseg.training.configs import read_config, with_bases


@pytest.fixture
def files(tmp_path):
    """a <- b, and (b, c) <- d, in two folders."""
    (tmp_path / "parts").mkdir()

    def write(name, text):
        (tmp_path / name).write_text(text)

    write("parts/a.yaml", "model: {lr: 1, decay: 2}\nlist: [1, 2]\n")
    write("parts/b.yaml", "base: a.yaml\nmodel: {lr: 3}\n")
    write("parts/c.yaml", "model: {width: 4}\nlist: [5]\n")
    write("d.yaml", "base: [parts/b.yaml, parts/c.yaml]\nmodel: {width: null}\nown: x\n")
    return tmp_path


def test_later_values_win_and_mappings_are_merged(files):
    assert read_config(files / "d.yaml") == {
        "model": {"lr": 3, "decay": 2, "width": None},
        "list": [5],
        "own": "x",
    }


@pytest.mark.parametrize("form", [["--config", "{}"], ["--config={}"], ["-c", "{}"]])
def test_a_config_with_bases_becomes_its_text_on_the_command_line(files, form):
    given = ["--x", "1", *[part.format(files / "d.yaml") for part in form], "--y=2"]
    found = with_bases(given)
    assert (found[:2], found[-1]) == (["--x", "1"], "--y=2")
    text = found[-2].split("=", 1)[1] if "=" in form[0] else found[-2]
    assert yaml.safe_load(text) == read_config(files / "d.yaml")


def test_other_arguments_stay_as_they_are(files):
    given = ["--config", str(files / "parts" / "c.yaml"), "--config", "missing.yaml", "d.yaml"]
    assert with_bases(given) == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: missing.yaml", "missing.yaml cannot be read"),
        ("base: e.yaml", "lead back to itself"),
        ("base: 3", "base is 3"),
        ("base: bad.yaml", "bad.yaml is no YAML"),
        ("base: list.yaml", "list.yaml holds no mapping"),
    ],
)
def test_bases_that_cannot_be_used_are_refused(files, text, message):
    (files / "bad.yaml").write_text("a: [")
    (files / "list.yaml").write_text("- a")
    (files / "e.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        with_bases(["--config", str(files / "e.yaml")])
