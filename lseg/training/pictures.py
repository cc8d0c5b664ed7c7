"""Validation pictures: image, truth and prediction side by side, in TensorBoard and in a file."""

from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from lseg.data.base.labels import display_names
from lseg.visualize import comparison, label_colours


class ValidationPictures(Callback):
    """Keeps the first pictures of each validation set and logs them after each validation."""

    def __init__(self, count: int = 4) -> None:
        """`count` pictures of each validation set."""
        self.count = count
        self.rows: dict[str, list[Image.Image]] = {}

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the pictures of the last validation."""
        self.rows = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draws pictures of a batch until there are enough."""
        name, labels = trainer.datamodule.val_sets[dataloader_idx]  # type: ignore[attr-defined]
        rows = self.rows.setdefault(name, [])
        for image, mask, prediction in zip(batch["image"], batch["mask"], outputs, strict=True):
            if len(rows) < self.count:
                rows.append(
                    comparison(
                        image.permute(1, 2, 0).cpu().numpy(),
                        mask.cpu().numpy(),
                        prediction.cpu().numpy(),
                        display_names(labels),
                        label_colours(labels),
                    )
                )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hands the pictures to TensorBoard."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                for name, rows in self.rows.items():
                    picture = pil_to_tensor(stack(rows))
                    logger.experiment.add_image(f"val/{name}", picture, trainer.global_step)


def stack(rows: list[Image.Image]) -> Image.Image:
    """Pictures below one another, on white."""
    width = max(row.width for row in rows)
    canvas = np.full((sum(row.height for row in rows), width, 3), 255, np.uint8)
    top = 0
    for row in rows:
        canvas[top : top + row.height, : row.width] = np.asarray(row)
        top += row.height
    return Image.fromarray(canvas)
