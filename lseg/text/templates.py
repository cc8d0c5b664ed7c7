"""Prompt templates by name: sentences around a label, `{}` being its place."""

import dataclasses

from lseg.config import TextConfig
from lseg.data.base.text_files import read_text
from lseg.errors import ConfigError
from lseg.paths import user_path
from lseg.text.encoder import LabelEncoder
from lseg.text.table import LabelTable

BARE = ("{}",)
PHOTO = ("a photo of a {}",)
NAMES = ("bare", "photo", "imagenet80")


def named_templates(name: str) -> tuple[str, ...]:
    """The templates that `--templates` names.

    Args:
        name: `bare`: the label alone, as LSeg; `photo`: CLIP's "a photo of a {}"; `imagenet80`:
            the ensemble of CLIP's ImageNet evaluation (openai/CLIP,
            Prompt_Engineering_for_ImageNet.ipynb), as open_clip has it; or a text file with a
            template a line.

    Raises:
        ConfigError: If it is none of these, or a template has no place for the label.
    """
    if name == "bare":
        return BARE
    if name == "photo":
        return PHOTO
    if name == "imagenet80":
        from open_clip import OPENAI_IMAGENET_TEMPLATES  # seconds to import

        return tuple(fill("{}") for fill in OPENAI_IMAGENET_TEMPLATES)
    path = user_path(name, ConfigError)
    if not path.is_file():
        raise ConfigError(
            f"--templates {name}: give {', '.join(NAMES)}, or a text file with a template a line, "
            "such as: a photo of a {}"
        )
    lines = [line.strip() for line in read_text(path, ConfigError).splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise ConfigError(f"{path} holds no template: give one a line, such as: a photo of a {{}}")
    TextConfig(templates=found)  # refuses those without a place for the label
    return found


def with_templates(encoder: LabelEncoder, name: str) -> LabelEncoder:
    """The same text side with the templates that `--templates` names.

    Raises:
        ConfigError: If there are no such templates, or the vectors are from a table, which has
            those that it was made with.
    """
    templates = named_templates(name)
    config = dataclasses.replace(encoder.config, templates=templates)
    found = LabelEncoder(config, encoder.embed_dim)
    found.tower, found.folder = encoder.tower, encoder.folder
    if config.table is not None:
        source = encoder.source
        assert isinstance(source, LabelTable)
        if templates != (source.template,):
            made = repr(source.template) if source.template else "templates that it does not tell"
            raise ConfigError(
                f"--templates {name}: the label vectors are from {source.path}, which was made "
                f"with {made} and stays so; leave --templates out, or give a text encoder"
            )
    return found
