"""Typed configuration of ZoeDepth."""

from dataclasses import dataclass

from lseg.config.dpt import DepthConfig
from lseg.errors import ConfigError, shown


@dataclass(frozen=True)
class RouterConfig:
    """A small transformer that tells which kind of scene a picture shows.

    Attributes:
        width: Of its tokens; even, and a multiple of `heads`.
        layers: Blocks.
        heads: Of attention.
        hidden: Width inside the perceptron of a block.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    hidden: int = 1024


@dataclass(frozen=True)
class ZoeDepthConfig(DepthConfig):
    """A DPT for relative depth, and bins of metric depth on top (Bhat et al., arXiv:2302.12288).

    Attributes:
        domains: Kinds of scene, each with bins of its own; a router picks one where there are more.
        domain_bins: Depths that are mixed at every pixel.
        embedding: Width of what tells where the bins of a pixel move.
        attractors: Points that attract the bins, of each fusion block, coarsest first.
        coldest: Least temperature of the mixture.
        hottest: Greatest.
        router: What picks a domain; means nothing where there is one.
    """

    architecture = "zoedepth"
    metric: bool = True
    domains: tuple[str, ...] = ("any",)
    domain_bins: int = 64
    embedding: int = 128
    attractors: tuple[int, int, int, int] = (16, 8, 4, 1)
    coldest: float = 0.0212
    hottest: float = 50.0
    router: RouterConfig = RouterConfig()

    def __post_init__(self) -> None:
        """Refuses what no network can be built from."""
        if not self.domains or len(set(self.domains)) < len(self.domains):
            raise ConfigError(f"domains are {shown(self.domains)}: give names, each once")
        if min(self.domain_bins, self.embedding // 2, *self.attractors) < 1:
            raise ConfigError(
                f"domain_bins, embedding and attractors are {self.domain_bins}, {self.embedding} "
                f"and {self.attractors}: each needs one, an embedding two"
            )
        if self.bins or self.invert or self.activation != "relu" or self.max_depth != 1:
            raise ConfigError("bins, invert, activation and max_depth have no use in a ZoeDepth")
