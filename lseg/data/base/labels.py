"""Label sets: free-text class names from a list, a string or a file, and prompts for them."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from lseg.data.base.text_files import read_text
from lseg.errors import LabelError, shown
from lseg.parsing import parse_json
from lseg.paths import expanded, is_file, is_special, resolve_data_path, user_path

_ACCEPTED = (
    'Give a list of strings, a string such as "sky,road,other", or a text file with one label a '
    'line; "person|people" averages synonyms into one class.'
)


def parse_labels(source: str | Path | Iterable[str]) -> list[str]:
    """Return a label set as a list of cleaned labels, in the order given.

    Labels are brought to one spelling (see `clean_name`); empty ones and those that start with `#`
    are dropped. Inside a label `|` separates synonyms of one class: they stay in the label, each
    cleaned, empty ones dropped.

    Args:
        source: A list of labels; a string with labels between commas or line ends; or a text file
            (UTF-8) with one label a line, where commas belong to the label. A string is taken for
            a file if it ends with `.txt`, or if it has a folder or a suffix and that file exists.

    Raises:
        LabelError: If there is no label, a label is named twice (in whatever spelling), a label is
            made of empty synonyms only, the file cannot be read, or the source is of another kind.
    """
    if isinstance(source, str) and not _names_file(source):
        # Line by line first, so that a comment keeps its commas to itself.
        lines = [line for line in source.splitlines() if not line.strip().startswith("#")]
        return _clean((label for line in lines for label in line.split(",")), shown(source))
    if isinstance(source, str | Path):
        return _clean(
            read_text(Path(source), LabelError, f". {_ACCEPTED}").splitlines(), f"the file {source}"
        )
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        raise LabelError(f"{type(source).__name__} is no label set. {_ACCEPTED}")
    return _clean(source, f"the {type(source).__name__} given")


def clean_name(text: str) -> str:
    """Return a name in the one spelling of all that look the same.

    Composed characters (Unicode's NFC), one space between words, none around them, and nothing
    that has no width. Joiners stay between the letters of scripts that are written with them.
    """
    text = unicodedata.normalize("NFC", text)
    kept = (
        character
        for before, character, after in zip(f" {text}", text, f"{text[1:]} ", strict=False)
        if unicodedata.category(character) != "Cf"
        or (character in _JOINERS and min(before, after) >= _FIRST_OF_JOINED_SCRIPTS)
    )
    return " ".join("".join(kept).split())


_JOINERS = "\u200c\u200d"
_FIRST_OF_JOINED_SCRIPTS = "\u0590"
"""Hebrew, the Arabic and the Indic scripts, and the symbols of which emoji are put together."""


def display_names(labels: Sequence[str]) -> list[str]:
    """Return what to call classes in legends and tables: the first synonym of each.

    Labels that share it are called by all of their synonyms.
    """
    names = [display_name(label) for label in labels]
    counts = Counter(names)
    return [label if counts[name] > 1 else name for label, name in zip(labels, names, strict=True)]


def display_name(label: str) -> str:
    """Return the first synonym of a label."""
    return next((name for part in label.split("|") if (name := part.strip())), label)


def read_label_lines(path: Path) -> list[str]:
    """Return the labels of a text file that has one a line, line i that of class i.

    Raises:
        LabelError: If the file cannot be read, or has an empty line before its end.
    """
    lines = read_text(user_path(path, LabelError), LabelError).rstrip().splitlines()
    labels = [clean_name(line) for line in lines]
    if "" in labels:
        raise LabelError(
            f"line {labels.index('') + 1} of {path} is empty: line i is the label of class i"
        )
    return labels


Prompts = str | Path | Mapping[str, str]
"""A JSON file {class name: label to ask for}, or such a mapping itself."""


def load_prompts(path: str | Path, classes: Sequence[str]) -> list[str]:
    """Return the label to ask the text encoder for, for each class in order.

    Args:
        path: A JSON file with an object {class name: prompt}. A class that it lacks keeps its own
            name; a prompt may hold synonyms, as any label.
        classes: Class names of the data set.

    Raises:
        LabelError: If the file cannot be read, is no JSON object of strings, names a class that is
            not in `classes`, or gives two classes the same prompt.
    """
    text = read_text(Path(path), LabelError, f". {_PROMPTS}")
    try:
        pairs = parse_json(text, object_pairs_hook=tuple)
    except ValueError as error:
        raise LabelError(f"{path} is not valid JSON: {error}. {_PROMPTS}") from error
    if not isinstance(pairs, tuple):  # which the hook makes of objects alone
        raise LabelError(f"{path} does not hold a JSON object. {_PROMPTS}")
    return prompts_of(pairs, classes, f"{path}")


def class_prompts(prompts: Prompts, classes: Sequence[str]) -> list[str]:
    """As `load_prompts`, of a mapping or a file; a relative path is looked up under LSEG_DATA."""
    if isinstance(prompts, Mapping):
        return prompts_of(prompts.items(), classes, "the prompts given")
    return load_prompts(resolve_data_path(prompts), classes)


def prompts_of(
    pairs: Iterable[tuple[str, object]], classes: Sequence[str], origin: str
) -> list[str]:
    """As `load_prompts`, of (class name, prompt) pairs; messages call the place `origin`."""
    pairs = [(clean_name(name), prompt) for name, prompt in pairs]
    classes = [clean_name(name) for name in classes]
    refuse_repeated([name for name, _ in pairs], f"the keys of {origin}")
    prompts = {}
    for name, prompt in pairs:
        if name not in classes:
            close = get_close_matches(name, classes, n=3, cutoff=0.5) or list(classes[:3])
            raise LabelError(
                f"{origin} has a prompt for {shown(name)}, which is none of the {len(classes)} "
                f"classes; the closest are {', '.join(map(repr, close))}. Correct or remove that "
                "entry."
            )
        if not isinstance(prompt, str) or not prompt.strip():
            raise LabelError(
                f"{origin}: the prompt of {shown(name)} is {shown(prompt)}. {_PROMPTS}"
            )
        prompts[name] = prompt
    labels = [clean_label(prompts.get(name, name), origin) for name in classes]
    refuse_repeated(labels, f"the prompts of {origin}")
    return labels


_PROMPTS = 'Give an object such as {"tvmonitor": "television", "person": "person|people"}.'


def _names_file(text: str) -> bool:
    """Tell whether a string is meant as a path: the label "sky" must not open a file "sky"."""
    if "\n" in text or "," in text or not text.strip():
        return False
    path = expanded(text)
    if path.suffix.lower() == ".txt":
        return True  # even where there is none: "lables.txt" is a typing error, not a label
    looks_like_path = bool(path.suffix) or "/" in text or os.sep in text
    return looks_like_path and (is_file(path) or is_special(path) is not None)


def _clean(labels: Iterable[object], origin: str) -> list[str]:
    """Return cleaned labels without the empty and the commented ones; checked."""
    cleaned = []
    for label in labels:
        if not isinstance(label, str):
            raise LabelError(f"{shown(label)} in {origin} is not a string. {_ACCEPTED}")
        if clean_name(label) and not clean_name(label).startswith("#"):
            cleaned.append(clean_label(label, origin))
    if not cleaned:
        raise LabelError(f"{origin} holds no label. {_ACCEPTED}")
    refuse_repeated(cleaned, origin)
    return cleaned


def clean_label(label: str, origin: str) -> str:
    """Return a label with each synonym cleaned and the empty ones dropped.

    Raises:
        LabelError: If all are empty, or it is broken text; `origin` is what the message calls the
            place.
    """
    synonyms = [clean_name(part) for part in label.split("|")]
    if not any(synonyms):
        raise LabelError(
            f"the label {shown(label)} in {origin} has only empty synonyms. {_ACCEPTED}"
        )
    if any("\ud800" <= character <= "\udfff" for character in label):
        raise LabelError(f"the label {shown(label)} in {origin} is no valid text: give it as UTF-8")
    return "|".join(part for part in synonyms if part)


def refuse_repeated(names: Sequence[str], origin: str) -> None:
    """Check that no name occurs twice: of two equal labels only one could ever win a pixel.

    Raises:
        LabelError: If one does; `origin` is what the message calls the place.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        listed = ", ".join(map(shown, repeated))
        raise LabelError(f"{listed} occurs more than once in {origin}. Name each only once.")
