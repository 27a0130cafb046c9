"""COVID-SegNet: every row of Table II, size and number that the paper names."""

from itertools import pairwise, product

import pytest
import torch
from network_checks import boxes, idle_parameters, overfit, parameters

from CovidSegLib.networks.covidsegnet import CovidSegNet
from CovidSegLib.training.losses import DiceCELoss

ROWS = [  # of Table II
    ("none", "none"),  # UNet4
    ("CAB", "none"),
    ("CEB", "none"),
    ("PSB", "none"),
    ("FV", "none"),
    ("none", "ASPP"),
    ("none", "ResASPP"),
    ("none", "PASPP"),
    ("FV", "PASPP"),  # COVID-SegNet
]


def small(row: tuple[str, str] = ("FV", "PASPP"), dims: int = 3, **arguments: int | str) -> CovidSegNet:
    torch.manual_seed(0)
    arguments = {"features": 4, "feature_variation": row[0], "pyramid": row[1], **arguments}
    return CovidSegNet(dims, **arguments)


def counted(feature_variation: str, pyramid: str) -> int:
    """Parameters by hand, from the paper's widths and blocks; batch normalisation has 2 a map."""

    def conv(ins: int, outs: int, kernel: int = 3) -> int:
        return kernel**3 * ins * outs + 2 * outs

    def residual(ins: int, outs: int) -> int:
        return conv(ins, outs) + conv(outs, outs) + (conv(ins, outs, 1) if ins != outs else 0)

    def variation(c: int) -> int:
        branches = {
            "CAB": [(c + 1) * c // 2 + (c // 2 + 1) * c],
            "CEB": [(c + 1) * c // 2 + (c // 2 + 1)],
            "PSB": [2 * conv(c, c)],
        }
        branches["FV"] = branches["CEB"] + branches["PSB"]
        if feature_variation == "none":
            return 0
        chosen = branches[feature_variation]
        return conv(c, c, 1) + sum(chosen) + conv((1 + len(chosen)) * c, c)

    c = 512
    pyramids = {"none": residual(c, c), "ASPP": 4 * (conv(c, c // 4, 1) + conv(c // 4, c // 4)) + conv(c, c, 1)}
    pyramids["ResASPP"] = pyramids["ASPP"]
    pyramids["PASPP"] = pyramids["ASPP"] + 2 * conv(c // 2, c // 2, 1)
    total = residual(1, 64) + residual(128, 128) + residual(256, 256) + pyramids[pyramid] + (64 + 1) * 3
    for above, below in pairwise([64, 128, 256, 512]):
        total += conv(above, below) + variation(below) + conv(below, above) + residual(2 * above, above)
    return total


@pytest.mark.parametrize("row", ROWS)
def test_parameters_are_those_of_the_widths(row: tuple[str, str]) -> None:
    """The paper gives no number."""
    with torch.device("meta"):
        network = CovidSegNet(feature_variation=row[0], pyramid=row[1])
    assert parameters(network) == counted(*row)


def test_shapes_of_the_papers_patch() -> None:
    with torch.device("meta"):
        network, image = CovidSegNet(), torch.rand(1, 1, 128, 128, 64)
    assert parameters(network) == counted("FV", "PASPP") == pytest.approx(70.4e6, rel=0.001)
    seen = []
    for block in [*network.encoder, *reversed(network.decoder)]:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert network(image).shape == (1, 3, 128, 128, 64)
    encoder = [(64, 128, 128, 64), (128, 64, 64, 32), (256, 32, 32, 16), (512, 16, 16, 8)]
    assert seen == [*encoder, *reversed(encoder[:3])]  # E1 to E4, D3 to D1


@pytest.mark.parametrize(("dims", "row"), list(product([2, 3], ROWS)))
def test_any_size_comes_back_and_every_parameter_learns(dims: int, row: tuple[str, str]) -> None:
    network = small(row, dims, in_channels=2)
    logits = network(torch.rand(2, 2, *(17, 18, 19)[:dims]))
    assert logits.shape == (2, 3, *(17, 18, 19)[:dims])
    logits.square().mean().backward()
    assert not idle_parameters(network)


@pytest.mark.parametrize(
    ("dims", "row", "merge"),
    [(2, row, "outputs") for row in ROWS] + [(2, ("FV", "PASPP"), "inputs"), (3, ("FV", "PASPP"), "outputs")],
)
def test_overfits_one_patch(dims: int, row: tuple[str, str], merge: str) -> None:
    image, labels = boxes([16] * dims, labels=3)
    assert overfit(small(row, dims, merge=merge), DiceCELoss(), image, labels) > 0.95


@pytest.mark.parametrize("row", [("none", "none"), ("FV", "PASPP")])
def test_batches_do_not_mix_and_half_precision_has_no_nan(row: tuple[str, str]) -> None:
    network = small(row).eval()
    image = torch.rand(2, 1, 16, 24, 17)
    torch.testing.assert_close(network(image)[1:], network(image[1:]), atol=1e-5, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(network(image)).all()
        assert torch.isfinite(network.train()(image)).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_exports(dims: int) -> None:
    network, image = small(dims=dims).eval(), torch.rand(1, 1, *(16, 24, 17)[:dims])
    torch.testing.assert_close(torch.export.export(network, (image,)).module()(image), network(image))


@pytest.mark.parametrize("row", [("SE", "PASPP"), ("FV", "PSP")])
def test_an_unknown_row_is_refused(row: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        small(row)
