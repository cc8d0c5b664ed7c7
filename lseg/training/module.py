"""Training an LSeg: a thin LightningModule over the network."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from lseg.checkpoints.backbone import pretrained_backbone
from lseg.config import LSegConfig
from lseg.data.base.datamodule import LabelSet, SegmentationDataModule
from lseg.data.base.skipping import PASSED_OVER
from lseg.errors import ConfigError
from lseg.evaluation.metrics import Scores
from lseg.inference.sharding import broadcast
from lseg.models.acceleration import TrainingPrecision, prepare_training
from lseg.models.loss import balancing_weights
from lseg.models.lseg import LSeg
from lseg.store.adaptors import SCALE_KEY
from lseg.store.lightning import note_config
from lseg.store.tensors import load_weights
from lseg.training.candidates import Batch
from lseg.training.finite import check_weights
from lseg.training.frozen import freeze
from lseg.training.linear_start import LinearStart, start_linear
from lseg.training.lora import LoraConfig, add_adaptors, without_adaptors
from lseg.training.monitors import LOSS
from lseg.training.objective import STRIDES, AskedSet, LossConfig, batch_loss
from lseg.training.optim import OptimConfig, build_optimizer, build_schedule
from lseg.training.resume import (
    GRADIENTS_KEY,
    check_fit,
    check_optimizer,
    open_gradients,
    restore_gradients,
    settled,
)
from lseg.training.validation import Evaluation, mean_figures


class LSegModule(LightningModule):
    """Per-pixel cross-entropy between logits and masks; only the image encoder learns.

    Label vectors are encoded once, before the first step; a batch may be of several sets, each with
    its own labels (see `lseg.training.objective`), or ask each picture for labels of its own (see
    `lseg.training.candidates`). Validation pools IoU over the pictures of each validation set, and
    logs the mean over the sets of a group as `val/<group>/miou`.
    """

    def __init__(
        self,
        network: LSegConfig,
        optim: OptimConfig | None = None,
        backbone_weights: str | None = None,
        init_from: str | None = None,
        freeze_backbone: bool | list[str] = False,
        freeze_backbone_norm: bool = False,
        lora: LoraConfig | None = None,
        linear_start: LinearStart | None = None,
        loss_stride: int = 1,
        label_smoothing: float = 0.0,
        class_balance: float = 0.0,
        precision: TrainingPrecision = "fp32",
        compiled: bool = False,
    ) -> None:
        """Describes the training; networks are built when it starts.

        Args:
            network: What to train.
            optim: Optimizer and schedule; LSeg's recipe by default.
            backbone_weights: Initial weights of the image encoder: `timm`, `hf` (of a backbone
                `hf:NAME`), or a file in the layout of either; random by default.
            init_from: A trained model (see `load_model`) to start from instead.
            freeze_backbone: Train the decoder alone; or patterns of the backbone's parameters that
                stay as they are (see `lseg.training.frozen.freeze`).
            freeze_backbone_norm: Keep the backbone's batch-norm statistics as they are.
            lora: Train low-rank adaptors of the backbone in place of its weights. What is saved has
                them merged.
            linear_start: Before the first step, fit linear maps of the backbone's levels and let
                the decoder start as these. For backbones with pretrained weights, few pictures.
            loss_stride: 1 computes the loss at full resolution; 4 at the decoder's own grid, which
                is several times cheaper.
            label_smoothing: Of the cross-entropy, in [0, 1).
            class_balance: Weighs a class by (median / its pixels) to this power: 0 not at all, 1
                is median-frequency balancing. Counts the pixels of all training masks first.
            precision: Of the trunk's products while training: `tf32` is for GPUs, `auto` is bf16
                where the device computes with it natively, fp32 elsewhere. Under bf16 the head and
                the loss stay in float32 (`trainer.precision` would leave that to Lightning).
            compiled: Compile the image encoder; pays on GPUs.

        Raises:
            ConfigError: If values do not fit together.
        """
        super().__init__()
        if loss_stride not in STRIDES:
            raise ConfigError(f"loss_stride is {loss_stride}: it must be 1 or 4")
        if class_balance < 0:
            raise ConfigError(f"class_balance is {class_balance}: it must be 0 or more")
        if backbone_weights is not None and init_from is not None:
            raise ConfigError("give backbone_weights or init_from, not both")
        if lora is not None and freeze_backbone:
            raise ConfigError("give lora or freeze_backbone, not both: lora freezes all the rest")
        self.optim = optim or OptimConfig()
        self.linear_start = linear_start
        self.freeze_backbone_norm = freeze_backbone_norm
        self.loss_stride = loss_stride
        self.label_smoothing = label_smoothing
        self.class_balance = class_balance
        self.precision = precision
        self.compiled = compiled
        self.asked: list[AskedSet] = []
        self.net = LSeg(network)
        if backbone_weights is not None:
            backbone = pretrained_backbone(self.net.config.trunk, backbone_weights)
            weights = backbone.state_dict()
            load_weights(self.net.trunk.backbone, weights, backbone_weights)
        if init_from is not None:
            trained = LSeg.from_pretrained(Path(init_from).expanduser())
            load_weights(self.net, trained.state_dict(), init_from)
        if freeze_backbone:
            patterns = ["*"] if freeze_backbone is True else freeze_backbone
            freeze(self.net.trunk.backbone, patterns)
        self.lora = lora
        if lora is not None:
            add_adaptors(self.net.trunk, lora)
        self.scores: dict[str, Scores] = {}
        self.gradients: dict[str, Tensor] = {}  # of the step under way in a checkpoint
        self.passed_over = 0  # broken pictures

    @property
    def data(self) -> SegmentationDataModule:
        """The data module of the running trainer."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, SegmentationDataModule)
        return data

    @property
    def trained(self) -> LSeg:
        """The network as it is to be saved."""
        return self.net if self.lora is None else without_adaptors(self.net, self.lora)

    def setup(self, stage: str) -> None:
        """Notes the label set, so that a checkpoint says what it was trained with."""
        if stage == "fit":
            labels = tuple(self.data.labels)
            self.net.config = dataclasses.replace(self.net.config, labels=labels)

    def train(self, mode: bool = True) -> "LSegModule":
        """Train mode, but for the backbone's batch norm where that is frozen."""
        super().train(mode)
        if mode and self.freeze_backbone_norm:
            for module in self.net.trunk.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def on_fit_start(self) -> None:
        """Encodes the training labels and weighs the classes of each set, once."""
        self.train()  # Lightning keeps the modes that it finds, and networks start in train mode
        texts = [self.net.encode_labels(labels) for _, labels in self.data.train_sets]
        weights: list[Tensor | None] = [None] * len(texts)
        if self.class_balance:
            counts = self.data.pixel_counts_by_set()
            weights = [balancing_weights(c, self.class_balance).to(self.device) for c in counts]
        rests = [
            self.net.encode_labels(labels) if labels else None for labels in self.data.rest_labels
        ]
        if self.loss_stride == 1 and any(rest is not None for rest in rests):
            raise ConfigError("background 'rest' is for loss_stride 4")
        self.asked = [AskedSet(*parts) for parts in zip(texts, weights, rests, strict=True)]
        self.loss = LossConfig(self.loss_stride, self.label_smoothing, self.data.ignore_value)
        self.net.to(memory_format=torch.channels_last)
        if self.linear_start is not None and self.trainer.ckpt_path is None:
            self._start_linear(self.linear_start)
        prepare_training(self.net, self.precision, self.compiled)

    def on_train_start(self) -> None:
        """Gives back the gradients of a step that was under way when the checkpoint was written."""
        restore_gradients(self, self.gradients)
        self.gradients = {}

    def on_train_end(self) -> None:
        """Adds up what the processes have passed over."""
        count = torch.tensor(float(self.passed_over), device=self.device)
        self.passed_over = int(self.trainer.strategy.reduce(count, reduce_op="sum"))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds dropout and the like by batch, so that a resumed run draws what one run draws."""
        seed = (self.data.seed, self.current_epoch, batch_idx)
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]))
        # Lightning counts it again when it resumes; loggers number steps by it.
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = self.trainer.global_step

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Cross-entropy of a batch, ignored pixels left out."""
        if PASSED_OVER in batch:
            self.passed_over += int(batch[PASSED_OVER].sum())
            self.log(f"train/{PASSED_OVER}", float(self.passed_over))
        loss = batch_loss(self.net, self.asked, batch, self.loss)
        self.log(LOSS, loss, prog_bar=True)
        return loss

    def on_validation_start(self) -> None:
        """Encodes the labels of the validation sets and resets their metrics.

        Several processes take the batch-norm statistics of the first, which are those of the
        checkpoint: each has counted its own pictures since the last step began.
        """
        broadcast(self.net.buffers())
        self._start_evaluation(self.data.val_sets)

    def on_test_start(self) -> None:
        """Encodes the labels of the test sets and resets their metrics."""
        self._start_evaluation(self.data.test_sets)

    def validation_step(self, batch: Batch, _: int, dataloader_idx: int = 0) -> Tensor:
        """Counts a batch; returns its label maps (B, H, W)."""
        return self.evaluation.count(self.net, batch, dataloader_idx)

    def test_step(self, batch: Batch, _: int, dataloader_idx: int = 0) -> Tensor:
        """Counts a batch; returns its label maps (B, H, W)."""
        return self.evaluation.count(self.net, batch, dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """Logs the pooled figures of each group of validation sets."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Logs the pooled figures of each group of test sets."""
        self._log_scores("test")

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule; steps are optimizer steps.

        Raises:
            ConfigError: If the run has no end for the schedule to reach.
        """
        optimizer = build_optimizer(self.optim, self.net.trunk.backbone, self.net)
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise ConfigError("a schedule needs an end: give trainer.max_epochs or max_steps")
        schedule = build_schedule(self.optim, optimizer, int(steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stores the configuration, so that the checkpoint can be loaded by itself.

        Also the gradients of a step whose batches are not all there yet (this process's own).

        Raises:
            TrainingError: If a weight is no longer finite.
        """
        check_weights(self.net, self.trainer.global_step)
        note_config(checkpoint, self.net.config)
        checkpoint[PASSED_OVER] = self.passed_over
        if self.lora is not None:
            checkpoint[SCALE_KEY] = self.lora.scale
        if self.trainer.fit_loop._should_accumulate():
            checkpoint[GRADIENTS_KEY] = open_gradients(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Puts training exactly where it stood.

        Raises:
            CheckpointError: If it is one of another network, or of another optimizer.
        """
        check_fit(checkpoint, self.state_dict(), self.trainer.ckpt_path)
        if self.trainer.state.fn != TrainerFn.FITTING:
            return
        check_optimizer(checkpoint, self.optim.name, self.trainer.ckpt_path)
        checkpoint["loops"]["fit_loop"] = settled(checkpoint["loops"]["fit_loop"])
        self.gradients = checkpoint.get(GRADIENTS_KEY, {})
        if self.trainer.is_global_zero:  # whose own count it is
            self.passed_over = checkpoint.get(PASSED_OVER, 0)

    def _start_linear(self, config: LinearStart) -> None:
        if self.trainer.is_global_zero:
            loader = self.data.train_dataloader()
            start_linear(self.net, self.asked, loader.epochs(), self.loss, config)
            self.train()
        broadcast(self.net.parameters())

    def _start_evaluation(self, sets: list[LabelSet]) -> None:
        data = self.data
        self.evaluation = Evaluation(self.net, sets, data.ignore_value, data.first_counted_label)

    def _log_scores(self, stage: str) -> None:
        self.scores = self.evaluation.scores()
        for name, figures in mean_figures(self.scores, self.data.mean_name).items():
            for figure, value in figures.items():
                self.log(f"{stage}/{name}/{figure}", value, prog_bar=figure == "miou")
