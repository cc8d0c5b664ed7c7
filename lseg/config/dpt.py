"""Networks of DPT without text: depth, fixed classes, surface normals."""

from dataclasses import dataclass
from typing import Literal

from lseg.config.network import NetworkConfig

DepthActivation = Literal["relu", "sigmoid"]


@dataclass(frozen=True)
class DepthConfig(NetworkConfig):
    """A depth network.

    MiDaS networks and Depth Anything give inverse depth; DPT's for KITTI and NYU invert it to
    metres; others give metres as they are.

    Attributes:
        scale: Factor of the inverse depth, where it is inverted.
        shift: Added to it, where it is inverted.
        invert: Give depth instead of inverse depth.
        metric: Whether the answer is in metres without being inverted.
        mixes: Whether the head begins with a 3x3 convolution and a ReLU of its own (DINOv2).
        hidden: Channels before the head's last convolution.
        activation: What follows that: ReLU, or a sigmoid (metric Depth Anything).
        max_depth: Factor of the activation's answer; the farthest depth, where there are bins.
        bins: Number of depths, evenly from `min_depth` to `max_depth`, of which the answer is a
            weighted mean (TIPSv2, after AdaBins); 0 where the head gives the depth itself.
        min_depth: The nearest of them.
    """

    architecture = "dpt-depth"
    scale: float = 1.0
    shift: float = 0.0
    invert: bool = False
    metric: bool = False
    mixes: bool = False
    hidden: int = 32
    activation: DepthActivation = "relu"
    max_depth: float = 1.0
    bins: int = 0
    min_depth: float = 0.0

    @property
    def unit(self) -> str:
        """What the answer is measured in: `metres`, or `inverse depth` of no known scale."""
        return "metres" if self.invert or self.metric else "inverse depth"


@dataclass(frozen=True)
class SegmentationConfig(NetworkConfig):
    """A network for fixed classes.

    Attributes:
        labels: Their names, in the order of the logits.
        plain_head: Whether the head is two convolutions and nothing between (TIPSv2).
    """

    architecture = "dpt-segmentation"
    labels: tuple[str, ...] = ()
    plain_head: bool = False


@dataclass(frozen=True)
class NormalsConfig(NetworkConfig):
    """A network for surface normals."""

    architecture = "dpt-normals"
