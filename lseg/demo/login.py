"""A name and a password, for demos that others can reach."""

import asyncio
import hmac
from dataclasses import dataclass, field
from typing import Self

from lseg.errors import ConfigError
from lseg.paths import user_path

SHORTEST = 8
LONGEST = 4096
"""Characters of a password."""

PAUSE = 1.0
"""Seconds until a wrong password is answered: guessing takes its time."""


@dataclass(frozen=True)
class Login:
    """Whom a demo lets in."""

    user: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """`USER:FILE`; the password is the first line of the file, and on no command line.

        Raises:
            ConfigError: If it is something else, or the password is short.
        """
        user, _, name = text.partition(":")
        if not user.strip() or not name:
            raise ConfigError(f"--auth is {text!r}: give USER:FILE, the file holds the password")
        path = user_path(name)
        try:
            with path.open(encoding="utf-8") as file:
                password = file.readline(LONGEST).rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"no password can be read from {path} ({_reason(error)}): --auth is USER:FILE, "
                "the file holds the password"
            ) from None
        if len(password) < SHORTEST:
            raise ConfigError(
                f"the password in {path} has {len(password)} characters: give {SHORTEST} or more"
            )
        return cls(user.strip(), password)

    async def check(self, user: str, password: str) -> bool:
        """Whether these are they; told from others in constant time."""
        given, own = (
            "\0".join(pair).encode("utf-8", "surrogatepass")
            for pair in ((user, password), (self.user, self.password))
        )
        right = hmac.compare_digest(given, own)
        if not right:
            await asyncio.sleep(PAUSE)
        return right


def _reason(error: Exception) -> str:
    return (error.strerror or "no file") if isinstance(error, OSError) else "it is no UTF-8 text"
