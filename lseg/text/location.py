"""Where the files lie that a text configuration names; one may hold relative paths."""

import dataclasses
import os
from pathlib import Path

from lseg.config import TextConfig
from lseg.paths import data_root, exists, expanded, is_file, resolve_data_path

FOLDER = "local-dir:"
"""Before a folder in the place of a model's name, as open_clip has it."""

TRANSFORMERS = "hf:"
"""Before the name of a model of the transformers library: a folder, or a Hub id."""

DINOTXT = "dinotxt:"
"""Before a file with the text tower of a dino.txt."""

SCHEMES = (FOLDER, TRANSFORMERS, DINOTXT)


def scheme_of(model: str) -> str | None:
    """Which of them a model's name begins with."""
    return next((scheme for scheme in SCHEMES if model.startswith(scheme)), None)


def located(config: TextConfig, *beside: Path | None) -> TextConfig:
    """The configuration with its paths as this process can open them.

    Args:
        config: Its relative paths start from `beside`, or else are those of `resolve_data_path`.
        beside: Folders of the file that holds it.
    """
    table, model, pretrained = config.table, config.model, config.pretrained
    if table is not None:
        table = str(resolve_data_path(table, *beside))
    scheme = scheme_of(model)
    if scheme is not None:
        folder = resolve_data_path(model.removeprefix(scheme), *beside)
        model = scheme + str(folder) if scheme != TRANSFORMERS or exists(folder) else model
    if pretrained is not None:  # a tag of open_clip, or a file
        weights = resolve_data_path(pretrained, *beside)
        pretrained = str(weights) if is_file(weights) else pretrained
    return dataclasses.replace(config, table=table, model=model, pretrained=pretrained)


def relative(
    config: TextConfig, folder: Path, *beside: Path | None, absolute_too: bool = False
) -> TextConfig:
    """The configuration as a file in `folder` tells it, so that both may be moved together.

    Paths under LSEG_DATA stay as they are, for they serve several machines, and so do those that
    lead nowhere.

    Args:
        config: Names the files.
        folder: Of the file to be written.
        beside: Folders of the file that `config` is from; see `located`.
        absolute_too: Whether absolute paths become relative ones.
    """
    here = located(config, *beside)

    def told(path: str, found: str) -> str:
        given = expanded(path)
        known = given.is_absolute() and not absolute_too
        shared = "LSEG_DATA" in os.environ and not given.is_absolute()
        if known or not exists(found) or (shared and Path(found) == data_root() / given):
            return path
        return path_from(folder, Path(found))

    table, model, pretrained = config.table, config.model, config.pretrained
    if table is not None and here.table is not None:
        table = told(table, here.table)
    scheme = scheme_of(model)
    if scheme is not None:
        model = scheme + told(model.removeprefix(scheme), here.model.removeprefix(scheme))
    if pretrained is not None and here.pretrained is not None and is_file(here.pretrained):
        pretrained = told(pretrained, here.pretrained)
    return dataclasses.replace(config, table=table, model=model, pretrained=pretrained)


def path_from(folder: Path, path: Path) -> str:
    """A path as a file in `folder` names it; absolute where no relative one leads there."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return str(path.resolve())
