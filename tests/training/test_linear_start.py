"""A decoder that starts as linear maps of the backbone's levels."""

import dataclasses

import pytest
import torch
import yaml
from networks import CONV, VIT, WIDTH
from torch.nn import functional as F

import lseg
from lseg.cli import main
from lseg.config import LSegConfig
from lseg.data.base.items import SET
from lseg.errors import ConfigError, DataError
from lseg.models.lseg import LSeg
from lseg.training.linear_start import LinearStart, Pixels, Probe, start_linear
from lseg.training.objective import AskedSet, LossConfig, batch_loss

LOSS = LossConfig(stride=4, label_smoothing=0.0, ignore_index=255)
QUICK = LinearStart(batches=4, steps=60, pixels=256, dropout=0.0)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return LSeg(LSegConfig(CONV, embed_dim=WIDTH))


@pytest.fixture
def batches():
    """Pictures of two colours, which are their labels; those of the second set number them anew."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(4):
        mask = torch.randint(2, (4, 2, 2), generator=generator).repeat_interleave(32, 1)
        mask = mask.repeat_interleave(32, 2)
        image = torch.where(mask[:, None] == 1, 220, 30).expand(-1, 3, -1, -1).to(torch.uint8)
        mask[:, :8] = 255
        made.append({"image": image, "mask": mask, SET: torch.tensor([0, 0, 1, 1])})
    return made


@pytest.fixture
def sets():
    text = F.normalize(torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(1)), dim=1)
    return [AskedSet(text[:3]), AskedSet(text[:2], torch.ones(3), rest=text[2:])]


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_decoder_computes_what_the_probe_computes(batch_norm, context):
    torch.manual_seed(0)
    trunk = dataclasses.replace(CONV, batch_norm=batch_norm, context=context)
    net = LSeg(LSegConfig(trunk, embed_dim=WIDTH)).eval()
    width = sum(CONV.level_widths) + (2 if context else 1) * CONV.level_widths[-1]
    values = torch.randn(50, width)
    pixels = Pixels((2 * values + 1).half(), torch.zeros(50).long(), torch.zeros(50).long())
    probe = Probe(pixels, CONV.features, WIDTH, dropout=0.5).eval()
    probe.give(net)
    picture = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        maps = [level.map for level in net.trunk.backbone(picture)]
        maps.append(F.avg_pool2d(maps[-1], 3, 1, 1))
        if context:
            maps.append(maps[3].mean((2, 3), keepdim=True).expand_as(maps[3]))
        for _ in range(3):  # to the finest level's size, by doublings
            coarsest = maps[3].shape[-2:]
            maps = [
                F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
                if x.shape[-2:] == coarsest else x for x in maps
            ]  # fmt: skip
        wanted = probe(torch.cat(maps, 1).permute(0, 2, 3, 1).flatten(0, 2))
        wanted = wanted.unflatten(0, (1, 24, 16)).permute(0, 3, 1, 2)
        found = net.projection.of(net.trunk.refine(picture))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_it_starts_where_sets_are_told_apart_already(net, sets, batches):
    def loss():
        with torch.no_grad():
            return sum(batch_loss(net.eval(), sets, batch, LOSS).item() for batch in batches)

    before = loss()
    start_linear(net, sets, iter(batches), LOSS, QUICK)
    assert loss() < 0.25 * before
    assert not any(torch.isnan(value).any() for value in net.state_dict().values())


def test_the_decoder_learns_on_from_there(net, sets, batches):
    start_linear(net, sets, iter(batches), LOSS, QUICK)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for batch in batches:
        optimizer.zero_grad()
        batch_loss(net, sets, batch, LOSS).backward()
        optimizer.step()
    units = [
        value for name, value in net.trunk.fusion.named_parameters() if "unit.norm2.weight" in name
    ]
    assert len(units) == 7
    assert all(value.abs().max() > 0 for value in units)


def test_a_backbone_of_tokens_is_refused(sets, batches):
    net = LSeg(LSegConfig(VIT, embed_dim=WIDTH))
    with pytest.raises(ConfigError, match=f"{VIT.backbone} gives tokens: leave it out"):
        start_linear(net, sets, iter(batches), LOSS, QUICK)


def test_pictures_with_labels_of_their_own_are_refused(net, sets, batches):
    batch = {**batches[0], "candidates": torch.zeros(4, 2).long()}
    with pytest.raises(ConfigError, match="one list of labels"):
        start_linear(net, sets, iter([batch]), LOSS, QUICK)


def test_pictures_without_a_label_are_refused(net, sets, batches):
    blank = [{**batch, "mask": torch.full_like(batch["mask"], 255)} for batch in batches]
    with pytest.raises(DataError, match="no pixel of 4 training batches has a label"):
        start_linear(net, sets, iter(blank), LOSS, QUICK)


def test_crops_need_not_be_multiples_of_the_grid(net, sets, batches):
    odd = [
        {**batch, "image": batch["image"][..., :50, :60], "mask": batch["mask"][..., :50, :60]}
        for batch in batches
    ]
    start_linear(net, sets, iter(odd), LOSS, QUICK)
    assert batch_loss(net, sets, odd[0], LOSS) < 1


@pytest.mark.parametrize("options", [{"steps": 0}, {"dropout": 1.0}, {"lr": 0.0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="linear_start: batches, steps and pixels"):
        LinearStart(**options)


def test_a_training_starts_there_once_and_a_resumed_one_does_not(config, tmp_path, capsys):
    values = yaml.safe_load(config.read_text())
    values["model"]["linear_start"] = {"batches": 3, "steps": 5, "pixels": 64}
    values["model"]["loss_stride"] = 4
    config.write_text(yaml.safe_dump(values))
    assert main(["fit", "--config", str(config)]) == 0
    assert "linear start" in capsys.readouterr().err
    assert main(["fit", "--config", str(config), "--resume", "auto", "--trainer.max_epochs=2"]) == 0
    assert "linear start" not in capsys.readouterr().err
    assert lseg.load_model(tmp_path / "run" / "model").config.labels
