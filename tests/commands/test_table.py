"""The table of commands, their options and the command line say the same."""

import argparse
import dataclasses
from typing import get_args, get_type_hints

import pytest

from lseg.commands.evaluated_data import EVALUATED
from lseg.commands.options import shared
from lseg.commands.options.base import Option, options_of
from lseg.commands.options.data_check import DataCheckOptions
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.parser import OptionsParser, help_texts
from lseg.commands.table import COMMANDS
from lseg.data.fewshot.check import LISTED_PICTURES
from lseg.data.sets.registry import SETS
from lseg.embedding.codes import CODE_KINDS
from lseg.embedding.files import FORMATS
from lseg.embedding.presets import PRESETS
from lseg.evaluation.protocols import TEST_PROTOCOLS
from lseg.models.acceleration import Precision

MODEL = "--checkpoint --device --precision --compile --text-table"
VIEWS = "--scales --flip --size --window"
USED = {  # what scripts give; a name that goes breaks them
    "predict": f"IMAGE --out {MODEL} --labels {VIEWS} --format --without-other",
    "embed": f"IMAGE --out {MODEL} --preset --format --dtype --layout --output-size --stride --raw "
    f"--normalize --long-side {VIEWS} --no-flip --pca --pca-pictures",
    "query": "EMBEDDINGS --labels --out --text-table --pictures",
    "depth": f"IMAGE --out {MODEL} --size",
    "demo": f"{MODEL} --host --port --size --max-upload --max-megapixels --max-queue --cache",
    "evaluate": "--dataset --data-root --root --prompts --ignore-index --splits --unseen --names "
    "--label-file "
    f"{MODEL} --split {VIEWS} --workers --out --predictions --claimed --compare --suite --models",
    "fewshot": "--benchmark --fold --data-root --splits --shots --episodes --seed --label-file "
    "--prompts --natural-names --background-label --visual-weight --size --split --ignore-index "
    f"{MODEL} --devices --batch-size --workers --save-pictures --out",
    "data check": "--dataset --data-root --root --prompts --ignore-index --split --splits",
    "labels encode": "WORDS --clip-model --pretrained --template --out",
    "labels merge": "TABLE --out",
    "labels list": "TABLE",
    "memory build": "--data-root --dataset --labels --shots --seed --checkpoint --out",
    "memory add": "MEMORY IMAGE --label --box --points --checkpoint",
    "memory remove": "MEMORY --labels",
    "memory list": "MEMORY",
    "convert": "SOURCE DESTINATION --block --block-depth --block-activation --labels --scale "
    "--shift --size --invert --clip-model",
    "export": "--checkpoint --out",
}
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def test_the_table_has_the_commands_of_the_contract():
    assert {command.name for command in COMMANDS} == set(USED)


@every_command
def test_a_command_is_a_documented_function_of_its_options(command):
    function = command.load()
    assert function.__doc__
    assert get_type_hints(function) == {"options": command.options, "return": type(None)}
    assert dataclasses.is_dataclass(command.options)
    assert command.summary


@every_command
def test_the_parser_has_an_argument_for_each_option_and_no_other(command):
    parser = OptionsParser(command.name, command.options)
    fields = {field.name for field in dataclasses.fields(command.options)}
    assert {action.dest for action in parser._actions} == fields | {"config", "help"}
    flags = {flag for action in parser._actions for flag in action.option_strings}
    positional = {action.metavar for action in parser._actions if not action.option_strings}
    assert set(USED[command.name].split()) <= flags | positional


@every_command
def test_every_option_is_explained_where_it_is_defined(command, capsys):
    texts = help_texts(command.options)
    assert set(texts) == {field.name for field in dataclasses.fields(command.options)}
    OptionsParser(command.name, command.options).print_help()
    told = " ".join(capsys.readouterr().out.split())
    for text in texts.values():
        assert text
        assert text in told


def choices(options, name) -> tuple[str, ...]:
    (found,) = (option for option in options_of(options) if option.name == name)
    return get_args(found.kind)


def test_choices_are_what_is_there():
    """They are written out, for what they name imports torch."""
    assert set(shared.BENCHMARKS) == set(TEST_PROTOCOLS)
    assert set(shared.BENCHMARK_FOLDERS) == set(LISTED_PICTURES)
    assert set(choices(EvaluateOptions, "dataset")) == {*shared.BENCHMARKS, *SETS} == set(EVALUATED)
    checked = {*shared.BENCHMARK_FOLDERS, *SETS, "pairs"}
    assert set(choices(DataCheckOptions, "dataset")) == checked
    assert set(choices(shared.ModelOptions, "precision")) == set(get_args(Precision))
    assert set(choices(EmbedOptions, "preset")) == set(PRESETS)
    assert {f".{name}" for name in choices(EmbedOptions, "format")} == {*FORMATS, ".zarr"}
    assert set(choices(EmbedOptions, "codes")) == set(CODE_KINDS)


def test_a_field_is_read_from_its_type():
    found = {option.name: option for option in options_of(EmbedOptions)}
    assert found["scales"] == Option("scales", float, True, None, found["size"].spelling, None)
    assert (found["stride"].kind, found["stride"].least) == (int, 0)
    assert found["images"].required
    assert found["images"].many
    assert found["flip"].kind is bool
    assert isinstance(OptionsParser("embed", EmbedOptions), argparse.ArgumentParser)
