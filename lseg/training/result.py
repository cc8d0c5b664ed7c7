"""What a training run leaves behind: a table, a picture and `result.json`."""

from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.fingerprint import fingerprint
from lseg.evaluation.report import print_table, versions
from lseg.evaluation.semantic import scores_to_json
from lseg.files import atomic_file, write_json
from lseg.training.module import LSegModule
from lseg.training.monitors import FIGURES
from lseg.training.pictures import ValidationPictures, stack


class Result:
    """Figures of the last validation, in percent, and the time of the training."""

    def __init__(
        self, module: LSegModule, data: SegmentationDataModule, seconds: float, root: Path
    ) -> None:
        """Collects the figures of `module`; `seconds` is how long the training took."""
        self.module = module
        self.data = data
        self.root = root
        self.seconds = seconds
        self.sets = {
            name: scores_to_json(module.scores[name], labels)
            for name, labels in data.val_sets
            if name in module.scores
        }

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        """Mean figures over the validation sets of each group (`seen/1`, `seen/2`: `seen`)."""
        members: dict[str, list[dict[str, Any]]] = {}
        for name, figures in self.sets.items():
            members.setdefault(name.split("/")[0], []).append(figures)
        return {
            group: {
                "labels": len(sets[0]["per_class"]),
                "sets": len(sets),
                **{
                    figure: sum(entry[figure] or 0.0 for entry in sets) / len(sets)
                    for figure in FIGURES
                },
            }
            for group, sets in members.items()
        }

    def to_json(self) -> dict[str, Any]:
        """`<group>_miou` and `<group>_pixel_accuracy` in percent, `train_seconds`, the details.

        Of a training on several sets also the means over these, `mean_miou` and so on.
        """
        figures = {
            f"{group}_{figure}": values[figure]
            for group, values in self.groups.items()
            for figure in FIGURES
        }
        if self.data.mean_name is not None and self.groups:
            for figure in FIGURES:
                every = [values[figure] for values in self.groups.values()]
                figures[f"{self.data.mean_name}_{figure}"] = fmean(every)
        return {
            **figures,
            "train_seconds": self.seconds,
            "trained_on": [asdict(facts) for facts in self.data.training_facts()],
            "seed": self.data.seed,
            "validated_on": {
                name: fingerprint(data.files()) for name, data in self.data.val_data.items()
            },
            "passed_over": self.module.passed_over,
            "sets": self.sets,
            "network": self.module.net.config.to_dict(),
            "versions": versions(),
        }

    def write(self) -> None:
        """Writes `result.json` and `predictions.png`, prints the table and what to run next."""
        write_json(self.root / "result.json", self.to_json())
        pictures = [
            callback
            for callback in self.module.trainer.callbacks  # type: ignore[attr-defined]
            if isinstance(callback, ValidationPictures)
        ]
        rows = [row for callback in pictures for group in callback.rows.values() for row in group]
        if rows:
            with atomic_file(self.root / "predictions.png") as partial:
                stack(rows).save(partial)
        if self.sets:
            print_table(
                f"after {self.seconds:.0f} s of training",
                ["classes", "labels asked", "mIoU %", "pixel accuracy %"],
                [
                    [
                        group,
                        f"{values['labels']}" + (f" x {values['sets']}" * (values["sets"] > 1)),
                        f"{values['miou']:.2f}",
                        f"{values['pixel_accuracy']:.2f}",
                    ]
                    for group, values in self.groups.items()
                ],
            )
        print(f"""
{self.root}/model            the trained network
{self.root}/predictions.png  pictures, truth and prediction side by side
{self.root}/result.json      these figures and the configuration

Next: lseg predict PICTURE --labels "..., other" --checkpoint {self.root}/model --out predictions
""")
