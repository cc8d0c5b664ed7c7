import pytest
import torch
from torch.nn import functional as F

from lseg.models.fusion import Fusion, FusionBlock, ResidualConvUnit
from lseg.models.levels import Level
from lseg.models.reassemble import Reassemble, TakeMap, TakeMapInContext
from lseg.models.trunk import pad_to_multiple
from lseg.models.upsample import double_size, upsample


@pytest.fixture
def level():
    return Level(torch.randn(2, 8, 3, 5), torch.randn(2, 8))


def conv1x1(x, conv):
    """A 1x1 convolution spelt as a matrix product over channels."""
    return torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], x) + conv.bias[:, None, None]


@pytest.mark.parametrize("readout", ["ignore", "add", "project"])
def test_readout_matches_a_computation_pixel_by_pixel(level, readout):
    step = Reassemble(8, 6, scale=1.0, readout=readout)
    read = torch.empty_like(level.map)
    for b in range(2):
        for y in range(3):
            for x in range(5):
                token = level.map[b, :, y, x]
                if readout == "add":
                    token = token + level.readout[b]
                elif readout == "project":
                    both = torch.cat([token, level.readout[b]])
                    token = F.gelu(step.read.linear.weight @ both + step.read.linear.bias)
                read[b, :, y, x] = token
    torch.testing.assert_close(step(level), conv1x1(read, step.project))


@pytest.mark.parametrize("readout", ["ignore", "add", "project"])
def test_readout_token_reaches_the_output_unless_ignored(level, readout):
    step = Reassemble(8, 6, scale=2.0, readout=readout)
    other = Level(level.map, level.readout + 1)
    assert torch.equal(step(level), step(other)) == (readout == "ignore")


@pytest.mark.parametrize(
    ("scale", "size"),
    [(8, (48, 64)), (4, (24, 32)), (2, (12, 16)), (1, (6, 8)), (0.5, (3, 4)), (0.25, (2, 2))],
)
def test_scale_gives_the_size_and_the_resampling_of_dpt(scale, size):
    step = Reassemble(8, 6, scale, "ignore")
    features = torch.randn(1, 8, 6, 8)
    out = step(Level(features, None))
    assert out.shape == (1, 6, *size)
    projected = conv1x1(features, step.project)
    if scale > 1:
        conv = step.resample
        assert conv.kernel_size == conv.stride == (scale, scale)
        patch = torch.einsum("c,cokl->okl", projected[0, :, 1, 2], conv.weight)
        patch = patch + conv.bias[:, None, None]
        corner = out[0, :, scale : 2 * scale, 2 * scale : 3 * scale]
        torch.testing.assert_close(corner, patch)
    elif scale < 1:
        conv = step.resample
        expected = F.conv2d(projected, conv.weight, conv.bias, stride=round(1 / scale), padding=1)
        assert conv.kernel_size == (3, 3)
        torch.testing.assert_close(out, expected)
    else:
        torch.testing.assert_close(out, projected)


def test_convolutional_level_is_taken_as_it_is(level):
    assert TakeMap()(level) is level.map


def test_context_adds_the_projected_mean_over_the_picture_to_every_pixel(level):
    step, conv = TakeMapInContext(8, 6), torch.nn.Conv2d(8, 6, 3, padding=1, bias=False)
    found = step.narrowed(level, conv)
    for b in range(2):
        pixels = [level.map[b, :, y, x] for y in range(3) for x in range(5)]
        said = step.context.weight @ (sum(pixels) / 15)
        alone = F.conv2d(level.map[b, None], conv.weight, padding=1)[0]
        torch.testing.assert_close(found[b], alone + said[:, None, None])


@pytest.mark.parametrize("batch_norm", [True, False])
def test_residual_unit_against_its_formula(batch_norm):
    unit = ResidualConvUnit(4, batch_norm).eval()
    assert (unit.conv1.bias is None) == batch_norm
    assert (unit.conv2.bias is None) == batch_norm
    x = torch.randn(2, 4, 5, 6)
    y = x
    for conv, norm in ((unit.conv1, unit.norm1), (unit.conv2, unit.norm2)):
        y = F.conv2d(y.clamp_min(0), conv.weight, conv.bias, padding=1)
        if batch_norm:
            torch.nn.init.normal_(norm.weight)
            torch.nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            mean, var, weight, bias = (
                value[:, None, None]
                for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            )
            y = (y - mean) / (var + 1e-5).sqrt() * weight + bias
    torch.testing.assert_close(unit(x), x + y)


def test_residual_unit_leaves_its_input_alone():
    x = torch.randn(1, 4, 5, 6)
    before = x.clone()
    ResidualConvUnit(4, False)(x)
    assert torch.equal(x, before)


def test_coarsest_block_alone_has_no_skip_unit():
    fusion = Fusion([4, 6, 8, 10], 16, batch_norm=True)
    assert [block.skip_unit is None for block in fusion.blocks] == [False, False, False, True]
    assert not any("blocks.3.skip_unit" in name for name in fusion.state_dict())


def test_level_convolutions_are_3x3_without_bias():
    fusion = Fusion([4, 6, 8, 10], 16, batch_norm=True)
    for conv, width in zip(fusion.level_convs, [4, 6, 8, 10], strict=True):
        assert conv.weight.shape == (16, width, 3, 3)
        assert conv.bias is None


def plain_unit(unit, x):
    y = unit.norm1(unit.conv1(x.relu()))
    return x + unit.norm2(unit.conv2(y.relu()))


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("coarse", [(2, 3), (3, 4)])
def test_fusion_equals_dpt_with_projection_after_upsampling(batch_norm, coarse):
    # DPT: x + RCU1(skip), RCU2, bilinear x2 (align_corners), 1x1; and so in every block.
    fusion = Fusion([4, 6, 8, 10], 16, batch_norm).double().eval()
    for norm in fusion.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):  # which becomes part of the kernel
            for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                torch.nn.init.uniform_(values, 0.5, 1.5)
    sizes = [(coarse[0] * 2**n, coarse[1] * 2**n) for n in (3, 2, 1, 0)]
    levels = [
        torch.randn(2, width, *size, dtype=torch.float64)
        for width, size in zip([4, 6, 8, 10], sizes, strict=True)
    ]
    x = None
    for index in (3, 2, 1, 0):
        skip, block = fusion.level_convs[index](levels[index]), fusion.blocks[index]
        x = skip if x is None else x + plain_unit(block.skip_unit, skip)
        x = F.interpolate(
            plain_unit(block.unit, x), scale_factor=2, mode="bilinear", align_corners=True
        )
        x = block.project(x)
    maps = [conv(level) for conv, level in zip(fusion.level_convs, levels, strict=True)]
    ours = fusion.last.project(fusion(maps))
    assert ours.shape == (2, 16, *sizes[0])
    torch.testing.assert_close(double_size(ours), x, atol=1e-10, rtol=0)


def test_projection_commutes_with_upsampling():
    block = FusionBlock(16, batch_norm=False, has_skip=False)
    x = torch.randn(1, 16, 7, 9)
    before = double_size(block.project(x))
    after = block.project(double_size(x))
    assert (before - after).abs().max() < 1e-6


def test_upsampling_aligns_corners():
    x = torch.randn(1, 2, 4, 5)
    y = upsample(x, (10, 13))
    torch.testing.assert_close(y[..., [0, 0, -1, -1], [0, -1, 0, -1]],
                               x[..., [0, 0, -1, -1], [0, -1, 0, -1]])  # fmt: skip
    torch.testing.assert_close(y[..., 3, 3], x[..., 1, 1])  # 3/9 of 3 rows, 3/12 of 4 columns
    ramp = torch.linspace(0, 1, 5).expand(1, 1, 4, 5)
    torch.testing.assert_close(upsample(ramp, (4, 9))[0, 0, 0], torch.linspace(0, 1, 9))


def test_upsampling_to_the_same_size_is_free():
    x = torch.randn(1, 2, 4, 5)
    assert upsample(x, (4, 5)) is x
    assert double_size(x).shape == (1, 2, 8, 10)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 70), (65, 32)])
def test_padding_repeats_the_last_row_and_column(size):
    pixels = torch.randn(2, 3, *size)
    padded, original = pad_to_multiple(pixels, 32)
    assert original == size
    assert all(side % 32 == 0 for side in padded.shape[-2:])
    assert all(new - old < 32 for new, old in zip(padded.shape[-2:], size, strict=True))
    assert torch.equal(padded[..., : size[0], : size[1]], pixels)
    rows = torch.arange(padded.shape[-2]).clamp_max(size[0] - 1)
    columns = torch.arange(padded.shape[-1]).clamp_max(size[1] - 1)
    assert torch.equal(padded, pixels[..., rows[:, None], columns])


def test_nothing_is_padded_on_the_grid():
    pixels = torch.randn(1, 3, 64, 96)
    assert pad_to_multiple(pixels, 32).pixels is pixels


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 3, 64, 31), (3, 64, 64), (1, 4, 64, 64)])
def test_padding_refuses_what_is_no_batch_of_pictures(shape):
    with pytest.raises(ValueError, match=r"expected \(B, 3, H, W\)"):
        pad_to_multiple(torch.zeros(shape), 32)
