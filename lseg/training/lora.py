"""Training few weights of a backbone: low-rank adaptors beside its linear layers, by peft."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import nn

from lseg.errors import ConfigError
from lseg.models.lseg import LSeg
from lseg.models.trunk import SMALLEST_SIDE, Trunk
from lseg.store.adaptors import merge_adaptors
from lseg.store.folder import StoredNetwork


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adaptors (Hu et al., arXiv:2106.09685): all else of the backbone stays as it is.

    Attributes:
        rank: Of the matrix that is added to the kernel of a layer.
        alpha: Its factor, times the rank.
        dropout: Share of a layer's inputs that its adaptor does not see while training.
        targets: Patterns of the names of linear layers within the backbone, as a shell would match
            them: `*` is all of them, `*.qkv` those of timm's attention.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise ConfigError("lora: rank must be at least 1, alpha positive, dropout in [0, 1)")

    @property
    def scale(self) -> float:
        """By what the product of both matrices is scaled."""
        return self.alpha / self.rank


def add_adaptors(trunk: Trunk, config: LoraConfig) -> None:
    """Puts adaptors beside the backbone's linear layers; they alone learn there.

    They begin as zero, so that the network computes what it did.

    Raises:
        ConfigError: If a pattern fits no linear layer, or peft is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise ConfigError('model.lora needs peft: pip install "lseg[lora]"') from error
    names = called_linears(trunk)
    targets: list[str] = []
    for pattern in config.targets:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            some = ", ".join(names[:: max(1, len(names) // 4)]) or "none"
            raise ConfigError(
                f"lora: no linear layer of the backbone is called {pattern!r}; some of its "
                f"{len(names)} are {some}"
            )
        targets += found
    adaptors = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]  # a float is as good
        lora_dropout=config.dropout,
        target_modules=targets,
    )
    peft.inject_adapter_in_model(adaptors, trunk.backbone)


@torch.no_grad()
def called_linears(trunk: Trunk) -> list[str]:
    """Names, within the backbone, of linear layers that a picture passes through.

    Some attentions take the kernel of a layer and leave the layer itself alone: an adaptor beside
    it would never be asked.
    """
    backbone, training = trunk.backbone, trunk.backbone.training
    called: set[str] = set()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: called.add(name))
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Linear)
    ]
    side = trunk.multiple * -(-SMALLEST_SIDE // trunk.multiple)
    device = next(backbone.parameters()).device
    backbone.eval()(torch.zeros(1, 3, side, side, device=device))
    backbone.train(training)
    for hook in hooks:
        hook.remove()
    return [name for name, _ in backbone.named_modules() if name in called]


def without_adaptors(network: LSeg, config: LoraConfig) -> LSeg:
    """A network of the same answers whose adaptors are part of its weights; it needs no peft."""
    stored = StoredNetwork(
        "the trained network",
        network.config.architecture,
        network.config.to_dict(),
        merge_adaptors(network.state_dict(), config.scale),
        network.text_tower,
        network.text.folder,
    )
    return LSeg.from_stored(stored).eval()
