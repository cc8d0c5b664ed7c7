"""The kinds of network that a checkpoint can hold."""

from lseg.config import NetworkConfig
from lseg.errors import CheckpointError, shown
from lseg.models.aligned.network import AlignedEncoder
from lseg.models.dpt import DPTDepth, DPTNormals, DPTSegmentation
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.models.zoedepth.network import ZoeDepth
from lseg.store.folder import StoredNetwork

NETWORKS: dict[str, type[Network]] = {
    network.config_type.architecture: network
    for network in (LSeg, AlignedEncoder, DPTDepth, DPTSegmentation, DPTNormals, ZoeDepth)
}


def build_network(config: NetworkConfig) -> Network:
    """The network that a configuration describes, with random weights.

    Raises:
        ConfigError: If the configuration does not fit together.
    """
    return NETWORKS[config.architecture](config)


def network_type(checkpoint: StoredNetwork) -> type[Network]:
    """The class of a stored network.

    Raises:
        CheckpointError: If it is of no known architecture.
    """
    found = NETWORKS.get(str(checkpoint.architecture))
    if found is None:
        raise CheckpointError(
            f"{checkpoint.source} describes an unknown architecture, "
            f"{shown(checkpoint.architecture)}: known are {', '.join(NETWORKS)}"
        )
    return found
