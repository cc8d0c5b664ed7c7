"""From command lines and files of options to options."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lseg.cli import main
from lseg.commands.options.base import options_of
from lseg.commands.options.convert import ConvertOptions
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.options.fewshot import FewShotOptions
from lseg.commands.options.predict import PredictOptions
from lseg.commands.parser import parse_options
from lseg.commands.record import OptionsRecord
from lseg.commands.table import COMMANDS
from lseg.errors import ConfigError

ODD = [
    "0", "1.5", "1e3", "~", "true", "no", "", " ", "a: b", "[1, 2]", "{a: b}",
    "{}", "- x", "*.png", "&a", "!!python/object:x", "'q'", '"', "#c", "a #b", "2020-01-01",
    "1:30", "0x10", "===", "x,y", "C:\\d", "é中", "\x85", "\u2028", "\t", "\n", "\r\n", "\udcff",
    "?", "%s", "@f",
]  # fmt: skip
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def command_line(command, text):
    """All options of a command, each as odd as it can be."""
    words = []
    for option in options_of(command.options):
        if option.kind is bool:
            words.append(option.flag)
            continue
        known = {int: "7", float: "0.5", str: text, Path: text}
        value = known[option.kind] if option.kind in known else option.kind.__args__[-1]
        values = [value] * (2 if option.many else 1)
        if option.spelling.positional:
            words = [*values, *words]
        elif option.many:
            words += [option.flag, *values]
        else:
            words.append(f"{option.flag}={values[0]}")
    return words


def expected(option, text):
    if option.kind is bool:
        return True
    known = {int: 7, float: 0.5, str: text, Path: Path(text)}
    value = known[option.kind] if option.kind in known else option.kind.__args__[-1]
    return (value, value) if option.many else value


@every_command
@pytest.mark.parametrize("text", ["null", "3", "[x]"])
def test_text_stays_as_it_was_typed_also_by_way_of_a_file(command, text, tmp_path):
    check_text(command, text, tmp_path)


@pytest.mark.parametrize("text", ODD)
def test_text_may_be_as_odd_as_it_likes(text, tmp_path):
    check_text(next(command for command in COMMANDS if command.name == "predict"), text, tmp_path)


def check_text(command, text, tmp_path):
    """Every text and path of a command is `text`, and after a turn through a file still is."""
    options = parse_options(command.name, command.options, command_line(command, text))
    for option in options_of(command.options):
        value = getattr(options, option.name)
        assert value == expected(option, text)
        assert type(value) is type(expected(option, text))
    record = OptionsRecord(tmp_path / "options.yaml", command.name, options)
    record.write()
    again = parse_options(command.name, command.options, ["--config", str(record.path)])
    assert again == options


@settings(max_examples=50, deadline=None)
@given(labels=st.text(), image=st.text(min_size=1))
def test_any_text_survives_a_file(tmp_path_factory, labels, image):
    options = PredictOptions(images=(image,), labels=labels, out=Path("out"))
    record = OptionsRecord(tmp_path_factory.mktemp("o") / "predict.yaml", "predict", options)
    record.write()
    assert parse_options("predict", PredictOptions, ["--config", str(record.path)]) == options


@every_command
def test_a_file_with_what_must_be_given_leaves_the_defaults(command, tmp_path):
    needed = {option.name: expected(option, "x") for option in options_of(command.options)
              if option.required}  # fmt: skip
    options = command.options(**needed)
    OptionsRecord(tmp_path / "o.yaml", command.name, options).write()
    given = ["--config", str(tmp_path / "o.yaml")] if needed else []
    assert parse_options(command.name, command.options, given) == options


def predict(*arguments):
    return parse_options("predict", PredictOptions, list(arguments))


def test_options_stand_anywhere():
    wanted = predict("a.png", "b.png", "--out", "o", "--flip", "--scales", "0.5", "1.0")
    assert wanted.images == ("a.png", "b.png")
    assert wanted.scales == (0.5, 1.0)
    assert predict("--scales", "0.5", "1.0", "--flip", "a.png", "b.png", "--out", "o") == wanted
    assert predict("--out=o", "--flip", "--scales", "0.5", "1", "--", "a.png", "b.png") == wanted
    apart = ["source", "--block", "depthwise", "destination", "--shift", "-0.5"]
    options = parse_options("convert", ConvertOptions, apart)
    assert (options.source, options.destination) == (Path("source"), Path("destination"))
    assert options.shift == -0.5


def test_flags_of_embed_have_three_states():
    def embed(*more):
        options = parse_options("embed", EmbedOptions, ["a.png", "--out", "o", *more])
        return options.flip, options.normalize

    assert embed() == (None, None)
    assert embed("--flip", "--normalize") == (True, True)
    assert embed("--no-flip", "--raw") == (False, False)
    assert embed("--raw", "--normalize") == (None, True)


def test_the_command_line_wins_over_a_file_wherever_it_is_named(tmp_path):
    file = tmp_path / "o.yaml"
    file.write_text("images: x.png\nflip: true\nscales: [1, 2]\nsize: 64\ndevice: cuda\nout: o\n")
    more = tmp_path / "more.yaml"
    more.write_text("device: cpu\nscales: 3\nprecision: null\nwithout-other: true\n")
    given = ["--no-flip", "--size", "0"]
    for line in (
        [*given, "--config", str(file), "y.png", "--config", str(more)],
        ["--config", str(file), "--config", str(more), "y.png", *given],
    ):
        options = predict(*line)
        assert options.images == ("y.png",)
        assert (options.flip, options.size, options.out) == (False, 0, Path("o"))
        assert (options.device, options.scales, options.precision) == ("cpu", (3.0,), "fp32")
        assert options.without_other
    assert predict("--config", str(file)).images == ("x.png",)
    assert predict("--config", str(file)).scales == (1.0, 2.0)


GIVEN = ["predict", "a.png", "--out", "o"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["paint"], ["'paint'", "--help"]),
        (["prdict", "a.png"], ["'prdict'", "did you mean predict?"]),
        (["--labels", "sky"], ["--labels"]),
        (["data"], ["lseg data check"]),
        (["data", "chck"], ["lseg data check"]),
        (["predict"], ["IMAGE", "--out"]),
        (["predict", "a.png", "--labels", "sky"], ["--out"]),
        (["convert", "a.ckpt"], ["DESTINATION"]),
        ([*GIVEN, "--lables", "sky"], ["--lables", "did you mean --labels?"]),
        ([*GIVEN, "--lables=sky"], ["--lables:", "did you mean --labels?"]),
        ([*GIVEN, "--zzzz", "1"], ["--zzzz", "lseg predict --help"]),
        ([*GIVEN, "--labels"], ["--labels", "expected one argument"]),
        ([*GIVEN, "--size", "large"], ["--size large", "a whole number"]),
        ([*GIVEN, "--size", "-1"], ["--size is -1", "0 or more"]),
        ([*GIVEN, "--size", "1.5"], ["--size 1.5", "a whole number"]),
        ([*GIVEN, "--scales", "1", "x"], ["--scales x", "a number"]),
        ([*GIVEN, "--format", "xml"], ["--format xml", "files or coco"]),
        (["data", "check", "--dataset", "pairs", "a"], ["too many", "a"]),
        (["evaluate", "--dataset", "none", "--data-root", "o"], ["--dataset none", "pascal5i"]),
        (["fewshot", "--benchmark", "pairs", "--devices", "0"], ["--devices is 0", "1 or more"]),
        ([*GIVEN, "--config", "nowhere.yaml"], ["nowhere.yaml", "No such file"]),
    ],
)
def test_a_wrong_command_line_is_refused_in_a_line(refused, arguments, parts):
    message = refused(*arguments)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lables: sky", ["'lables'", "did you mean labels?"]),
        ("labels: 3", ["--labels 3", "in quotes"]),
        ("labels: [sky, road]", ["--labels ['sky', 'road']"]),
        ("out: 3", ["--out", "a path"]),
        ("flip: maybe", ["flip", "'maybe'", "true or false"]),
        ("flip: 1", ["flip", "true or false"]),
        ("format: xml", ["--format xml", "files or coco"]),
        ("size: 1.5", ["--size 1.5", "a whole number"]),
        ("scales: [1, x]", ["--scales x", "a number"]),
        ("images: [1.png, 2]", ["IMAGE 2", "text"]),
        ("config: other.yaml", ["'config'"]),
        ("labels: [sky", ["cannot be read"]),
        ("labels: 2020-13-45", ["cannot be read"]),
        ("just text", ["name: value"]),
        ("", ["name: value"]),
        ("3: x", ["name: value"]),
    ],
)
def test_a_wrong_file_is_refused_in_a_line_that_names_it(refused, tmp_path, text, parts):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    message = refused(*GIVEN, "--config", file)
    assert str(file) in message
    for part in parts:
        assert part in message


def test_without_a_command_the_commands_are_listed(capsys):
    assert main([]) == 2
    told = capsys.readouterr().err
    assert all(f"  {command.name} " in told for command in COMMANDS)
    assert main(["data", "--help"]) == 0
    assert "data check" in capsys.readouterr().out


def test_numbers_are_checked_in_python_too():
    with pytest.raises(ConfigError, match="--batch-size is 0"):
        FewShotOptions(benchmark="pairs", batch_size=0)


def test_records_are_plain_yaml(tmp_path):
    options = PredictOptions(images=["a.png"], labels="sky,road", out=Path("o"))
    OptionsRecord(tmp_path / "predict.yaml", "predict", options).write()
    values = yaml.safe_load((tmp_path / "predict.yaml").read_text())
    assert values == {
        "images": ["a.png"], "out": "o", "labels": "sky,road", "checkpoint": "photo",
        "device": "auto", "precision": "fp32", "compile": False, "window_batch": 4,
        "synonyms": "mean", "other": "auto",
        "format": "files", "without_other": False, "orientation": "displayed",
        "max_megapixels": 1000, "keep_folders": False, "strict": False, "engine": "local",
        "verify": False, "start": 0, "frame_stride": 1,
    }  # fmt: skip
