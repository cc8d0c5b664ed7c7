"""Parts of the backbone that do not learn."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from lseg.errors import ConfigError


def freeze(backbone: nn.Module, patterns: Sequence[str]) -> None:
    """Leaves parameters as they are: they get no gradient and no optimizer.

    Gradients are not even computed below the first parameter that learns, so to freeze the early
    stages, where maps are large, is what saves most time; then depthwise kernels, whose gradients
    have no fast path on CPUs.

    Args:
        backbone: The image encoder.
        patterns: Of parameter names within it, as a shell would match them: `*` is all of them,
            `net.blocks.0.*` the first stage of an EfficientNet, `*.conv_dw.*` depthwise kernels.

    Raises:
        ConfigError: If a pattern fits no parameter.
    """
    names = dict(backbone.named_parameters())
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            some = ", ".join(list(names)[:: max(1, len(names) // 4)])
            raise ConfigError(
                f"freeze_backbone: no parameter of the backbone is called {pattern!r}; "
                f"some of its {len(names)} are {some}"
            )
        for name in found:
            names[name].requires_grad_(False)
