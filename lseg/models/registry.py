"""The kinds of network that a model folder can hold."""

from typing import NamedTuple

from lseg.config import DepthConfig, LSegConfig, NetworkConfig, SegmentationConfig
from lseg.errors import ConfigError
from lseg.models.dpt import DPTDepth, DPTSegmentation
from lseg.models.lseg import LSeg
from lseg.models.network import Network


class Architecture(NamedTuple):
    """A class of networks and the class of its configuration."""

    network: type[Network]
    config: type[NetworkConfig]


ARCHITECTURES = {
    "lseg": Architecture(LSeg, LSegConfig),
    "dpt-depth": Architecture(DPTDepth, DepthConfig),
    "dpt-segmentation": Architecture(DPTSegmentation, SegmentationConfig),
}


def architecture_name(config: type[NetworkConfig]) -> str:
    """The name under which networks with this kind of configuration are stored."""
    return next(name for name, entry in ARCHITECTURES.items() if config is entry.config)


def build_network(architecture: object, values: dict[str, object]) -> Network:
    """A network with random weights.

    Args:
        architecture: A key of `ARCHITECTURES`.
        values: Its configuration, as `NetworkConfig.to_dict` gives it.

    Raises:
        ConfigError: If there is no such architecture, or the configuration does not fit it.
    """
    if architecture not in ARCHITECTURES:
        raise ConfigError(
            f"unknown architecture {architecture!r}: known are {', '.join(ARCHITECTURES)}"
        )
    network, config = ARCHITECTURES[str(architecture)]
    return network(config.from_dict(values))
