"""Split lists of the few-shot community (HSNet's files), read without running what is in them.

`--splits DIR` holds

    pascal/{trn,val}/fold<K>.txt   lines `2007_000033__01`: picture, class from 1
    coco/{trn,val}/fold<K>.pkl     pickle {class from 0: [`val2014/COCO_val2014_....jpg`]}
    fss/{trn,val,test}.txt         class folders, one a line
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from lseg.data.base.text_files import read_lines
from lseg.errors import DataError, shown
from lseg.paths import refuse_special

LAYOUT = (
    "a folder of split lists holds pascal/{trn,val}/fold<K>.txt, coco/{trn,val}/fold<K>.pkl and "
    "fss/{trn,val,test}.txt"
)


class Line(NamedTuple):
    """A line of a list: what identifies the picture, and a class index from 0."""

    stem: str
    class_index: int


def read_pascal(path: Path, classes: int = 20) -> list[Line]:
    """The lines of a PASCAL-5i list, in its order.

    Raises:
        DataError: If the file is missing, empty or malformed, or has an unknown class.
    """
    found = []
    for number, text in enumerate(read_lines(path, DataError, f": {LAYOUT}"), start=1):
        stem, gap, value = text.rpartition("__")
        if not gap or not stem or not value.isdecimal():
            raise DataError(
                f"line {number} of {path} is {shown(text)}: expected a picture and a class from 1, "
                "such as 2007_000033__01"
            )
        found.append(Line(stem, _known(int(value) - 1, classes, f"line {number} of {path}", 1)))
    return found


def read_coco(path: Path, classes: int = 80) -> list[Line]:
    """The lines of a COCO-20i list: class by class as in the file, pictures in its order.

    Raises:
        DataError: If the file is missing, holds anything but {class: [names]}, names nothing, or
            has an unknown class.
    """
    values = read_pickle(path)
    sound = isinstance(values, dict) and all(
        isinstance(key, int) and isinstance(names, list | tuple) for key, names in values.items()
    )
    if not sound or not all(isinstance(name, str) for names in values.values() for name in names):
        raise DataError(f"{path} holds no split list: expected {{class from 0: [picture names]}}")
    found = [
        Line(name.removesuffix(".jpg"), _known(key, classes, str(path), 0))
        for key, names in values.items()
        for name in names
    ]
    if not found:
        raise DataError(f"{path} is empty: {LAYOUT}")
    return found


def read_fss(path: Path) -> list[str]:
    """The class names of an FSS-1000 list, in its order.

    Raises:
        DataError: If the file is missing, empty or no text.
    """
    return read_lines(path, DataError, f": {LAYOUT}")


def read_pickle(path: Path) -> Any:
    """What a pickle of containers, strings and numbers holds; anything else is refused.

    Raises:
        DataError: If the file is missing, is no pickle, or asks for any class or function. Nothing
            that it names is imported or run.
    """
    refuse_special(path, DataError)
    try:
        return _Containers(io.BytesIO(path.read_bytes())).load()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}: {LAYOUT}") from error
    except _RefusedError as error:
        raise DataError(
            f"{path} asks for {error}: a split list holds dictionaries, lists and strings only. "
            "Nothing of it was run"
        ) from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise DataError(f"{path} is no split list: damaged, or no pickle ({error})") from error


class _RefusedError(Exception):
    """A pickle that names something to be imported."""


class _Containers(pickle.Unpickler):
    """Builds containers, strings, bytes and numbers, which need no import."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _RefusedError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _RefusedError(f"the persistent object {pid!r}")


def _known(index: int, classes: int, where: str, first: int) -> int:
    if not 0 <= index < classes:
        raise DataError(
            f"{where} has class {index + first}, which does not exist: classes are {first} to "
            f"{classes - 1 + first}"
        )
    return index
