"""The time that training stands still for want of data."""

from time import sleep

import pytest
from pytorch_lightning import Trainer

from lseg.data.sets.shapes_data import ShapesDataModule, ShapesDataset
from lseg.training.module import LSegModule
from lseg.training.timing import DATA_TIME, STEP_TIME, StepTimes

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
PAUSE = 0.2


class SlowShapes(ShapesDataset):
    def __getitem__(self, key):
        sleep(PAUSE)
        return super().__getitem__(key)


class SlowData(ShapesDataModule):
    def make_train_set(self):
        quick = super().make_train_set()
        return SlowShapes(quick.labels[1:], len(quick), quick.size)


@pytest.mark.parametrize("slow", [True, False])
def test_steps_say_how_long_they_waited(network, slow):
    kind = SlowData if slow else ShapesDataModule
    data = kind(train_length=4, val_length=1, size=32, batch_size=2)
    module = LSegModule(network, loss_stride=4)
    trainer = Trainer(**QUIET, max_epochs=1, limit_val_batches=0, callbacks=[StepTimes()])
    trainer.fit(module, datamodule=data)
    waited, whole = (trainer.callback_metrics[name].item() for name in (DATA_TIME, STEP_TIME))
    assert 0 < waited < whole
    assert not slow or waited >= 2 * PAUSE
