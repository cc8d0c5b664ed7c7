"""Typed configurations of networks: everything needed to rebuild one, and nothing else."""

from lseg.config.aligned import AlignedConfig, Attention, EncoderConfig, HeadConfig
from lseg.config.dpt import DepthActivation, DepthConfig, NormalsConfig, SegmentationConfig
from lseg.config.lseg import Activation, Block, LSegConfig
from lseg.config.network import NetworkConfig
from lseg.config.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from lseg.config.presets import PRESETS
from lseg.config.text import TextConfig
from lseg.config.trunk import OddGrids, Positions, Readout, ReadoutActivation, TrunkConfig
from lseg.config.zoedepth import RouterConfig, ZoeDepthConfig

__all__ = [
    "IMAGENET_MEAN", "IMAGENET_STD", "PRESETS",
    "Activation", "AlignedConfig", "Attention", "Block", "DepthActivation", "DepthConfig",
    "EncoderConfig", "HeadConfig", "LSegConfig", "NetworkConfig", "NormalsConfig", "OddGrids",
    "Positions", "Preprocessing", "Readout", "ReadoutActivation", "RouterConfig",
    "SegmentationConfig", "TextConfig", "TrunkConfig", "ZoeDepthConfig",
]  # fmt: skip
