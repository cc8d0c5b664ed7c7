"""The options of a run, kept beside its results as YAML that `--config` reads."""

from __future__ import annotations

from pathlib import Path

import yaml  # type: ignore[import-untyped]

from lseg.commands.options.base import Options
from lseg.errors import LSegError
from lseg.files import atomic_file
from lseg.inference.sharding import Shard


class _Dumper(yaml.SafeDumper):
    """Writes text so that it is read back as it was."""


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    """PyYAML folds NEL and U+2028 in all quotes but the double ones, which it escapes."""
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


class OptionsRecord:
    """Beside results in a folder it is `<command>.yaml`, beside a file `<file>.yaml`.

    No result of any command has such a name. Only the first process of several writes it.
    """

    def __init__(self, path: Path, command: str, options: Options) -> None:
        """Nothing is written yet.

        Args:
            path: Where the record goes.
            command: Which command the options are of, such as `predict`.
            options: To be recorded.

        Raises:
            LSegError: If there is a file of that name that is no earlier record.
        """
        self.path = path
        self.command = command
        self.options = options
        self._head = f"# lseg {command} --config FILE runs this again. Written by lseg.\n"
        self._written = False
        if path.exists() and not (self._earlier() or b"").startswith(self._head.encode()):
            raise LSegError(
                f"{path} would be overwritten by the options of this run: rename it, or give "
                "another --out"
            )

    @classmethod
    def in_folder(cls, folder: Path, command: str, options: Options) -> OptionsRecord:
        """For results in a folder."""
        return cls(folder / f"{command}.yaml", command, options)

    @classmethod
    def beside(cls, file: Path, command: str, options: Options) -> OptionsRecord:
        """For a result that is one file."""
        return cls(file.with_name(f"{file.name}.yaml"), command, options)

    def write(self) -> None:
        """Writes the record when it is first called; to be called when there is a result."""
        if self._written or not Shard.of_process().first:
            return
        given = {key: value for key, value in self.options.to_dict().items() if value is not None}
        text = self._head + yaml.dump(given, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        if self._earlier() != text.encode():  # going on with a run leaves its record as it is
            with atomic_file(self.path) as partial:
                partial.write_text(text, "utf-8")
        self._written = True

    def _earlier(self) -> bytes | None:
        """What lies at the path, if it can be read."""
        try:
            return self.path.read_bytes()
        except OSError:
            return None
