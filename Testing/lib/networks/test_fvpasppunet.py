"""FV-PASPP-DS-UNet: deep supervision, sizes and numbers; checks of all networks are in test_every_network."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from support.network_checks import ROWS, boxes, parameters
from torch.nn import functional

from CovidSegLib.networks.fvpasppunet import FVPASPPUNet
from CovidSegLib.training.losses import BCEDiceLoss, DeepSupervisionLoss


def small(dims: int = 3) -> FVPASPPUNet:
    torch.manual_seed(0)
    return FVPASPPUNet(dims, features=4)


def counted(feature_variation: str, pyramid: str, deep_supervision: bool) -> int:
    """Parameters counted by hand, from the widths and blocks; batch normalisation has 2 for each channel."""

    def conv(ins: int, outs: int, kernel: int = 3) -> int:
        return kernel**3 * ins * outs + 2 * outs

    def twice(ins: int, outs: int) -> int:
        return conv(ins, outs) + conv(outs, outs)

    def variation(c: int) -> int:
        if feature_variation == "none":
            return 0
        weights = c if feature_variation == "SE" else 1
        return conv(c, c, 1) + (c + 1) * c // 2 + (c // 2 + 1) * weights + 2 * conv(c, c) + conv(3 * c, c)

    total = twice(1, 64) + (64 + 1)
    for above, below in pairwise([64, 128, 256, 512]):
        total += variation(above) + twice(above, below) + conv(below, above) + twice(2 * above, above)
    if pyramid == "PASPP":
        c = 512
        total += 4 * (conv(c, c // 4, 1) + conv(c // 4, c // 4)) + 2 * conv(c // 2, c // 2, 1) + conv(c, c, 1)
    return total + (128 + 1 + 256 + 1 if deep_supervision else 0)


@pytest.mark.parametrize("row", ROWS["FVPASPPUNet"])
def test_the_number_of_parameters_follows_from_the_widths(row: dict[str, Any]) -> None:
    """The paper states no number."""
    with torch.device("meta"):
        network = FVPASPPUNet(**row)
    assert parameters(network) == counted(**row)


def test_shapes_for_the_patch_of_the_paper() -> None:
    with torch.device("meta"):
        network, image = FVPASPPUNet(), torch.rand(1, 1, 128, 128, 8)
    assert parameters(network) == counted("SE", "PASPP", True) == pytest.approx(39.9e6, rel=0.001)
    seen = []
    for block in [*network.encoder, network.pyramid, *reversed(network.decoder)]:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert [logits.shape for logits in network(image)] == [image.shape] * 3
    encoder = [(64, 128, 128, 8), (128, 64, 64, 4), (256, 32, 32, 2), (512, 16, 16, 1)]
    assert seen == [*encoder, encoder[3], *reversed(encoder[:3])]  # E1 to E4, PASPP, D3 to D1


@pytest.mark.parametrize("dims", [2, 3])
def test_deep_supervision_equals_upsampling_before_the_convolution(dims: int) -> None:
    network = small(dims)
    decoded = []
    for block in reversed(network.decoder):
        block.register_forward_hook(lambda module, inputs, output: decoded.insert(0, output))
    image = torch.rand(2, 1, *(16, 24, 8)[:dims])
    outputs = network(image)
    assert [tuple(maps.shape[1:3]) for maps in decoded] == [(4, 16), (8, 8), (16, 4)]  # D1, D2, D3
    mode = "bilinear" if dims == 2 else "trilinear"
    for maps, head, logits in zip(decoded, network.heads, outputs, strict=True):
        upsampled = functional.interpolate(
            maps, image.shape[2:], mode=mode, align_corners=False
        )  # the order in section 2.3
        torch.testing.assert_close(logits, head(upsampled))


def test_evaluation_mode_returns_only_the_final_logits() -> None:
    network = small()
    image = torch.rand(2, 1, 17, 16, 8)
    for layer in network.modules():  # so that both modes normalise in the same way
        if isinstance(layer, torch.nn.BatchNorm3d):
            layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    training, evaluated = network(image), network.eval()(image)
    assert isinstance(training, list) and isinstance(evaluated, torch.Tensor)
    torch.testing.assert_close(evaluated, training[0])


@pytest.mark.parametrize("dims", [2, 3])
def test_all_supervised_outputs_overfit_one_patch(dims: int) -> None:
    """The outputs of D2 and D3 have fewer voxels and cannot resolve all corners."""
    network, loss = small(dims), DeepSupervisionLoss(BCEDiceLoss())
    image, mask = boxes([16] * dims, labels=2)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(100):
        outputs = network(image)
        predictions = torch.cat(outputs) > 0
        dice = [float(2 * (each & mask[0].bool()).sum() / (each.sum() + mask.sum())) for each in predictions]
        if dice[0] > 0.95 and min(dice) > 0.85:
            break
        optimiser.zero_grad()
        loss(outputs, mask).backward()
        optimiser.step()
    assert len(dice) == 3 and dice[0] > 0.95 and min(dice) > 0.85


@pytest.mark.parametrize("row", [("FV", "PASPP"), ("SE", "ASPP")])
def test_an_unknown_row_is_rejected(row: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        FVPASPPUNet(feature_variation=row[0], pyramid=row[1])


def test_the_pyramid_adds_the_inputs_of_its_atrous_convolutions() -> None:
    """The "residual branches" of Fig. 3; see PASPP for the other interpretation in COVID-SegNet."""
    assert FVPASPPUNet(features=4).pyramid.merge == "inputs"
