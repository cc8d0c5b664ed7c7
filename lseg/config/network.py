"""What the configurations of all networks have in common."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from lseg.config.preprocessing import Preprocessing
from lseg.config.trunk import TrunkConfig
from lseg.plain import built, plain


@dataclass(frozen=True)
class NetworkConfig:
    """What every network of the DPT family has.

    Attributes:
        architecture: Name under which networks of this kind are stored.
        trunk: Image encoder up to the last fusion block.
        preprocessing: What the image encoder expects.
    """

    architecture: ClassVar[str]
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    @property
    def image_encoder(self) -> str:
        """Name of the image encoder's architecture."""
        return self.trunk.backbone

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers, ready for JSON."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: If a key is unknown, with the nearest known one.
        """
        return built(cls, values, cls.__name__)
