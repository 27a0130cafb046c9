"""COVID-SegNet: the sizes and numbers of the paper; checks of all networks are in test_every_network."""

from itertools import pairwise

import pytest
import torch
from support.network_checks import ROWS, parameters

from CovidSegLib.networks.covidsegnet import CovidSegNet


def counted(feature_variation: str, pyramid: str, merge: str = "outputs") -> int:
    """Parameters counted by hand from the paper's widths and blocks. `merge` adds no parameters."""

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


@pytest.mark.parametrize("row", ROWS["CovidSegNet"])
def test_the_number_of_parameters_follows_from_the_widths(row: dict[str, str]) -> None:
    """The paper states no number."""
    with torch.device("meta"):
        network = CovidSegNet(**row)
    assert parameters(network) == counted(**row)


def test_shapes_for_the_patch_of_the_paper() -> None:
    with torch.device("meta"):
        network, image = CovidSegNet(), torch.rand(1, 1, 128, 128, 64)
    assert parameters(network) == counted("FV", "PASPP") == pytest.approx(70.4e6, rel=0.001)
    seen = []
    for block in [*network.encoder, *reversed(network.decoder)]:
        block.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
    assert network(image).shape == (1, 3, 128, 128, 64)
    encoder = [(64, 128, 128, 64), (128, 64, 64, 32), (256, 32, 32, 16), (512, 16, 16, 8)]
    assert seen == [*encoder, *reversed(encoder[:3])]  # E1 to E4, D3 to D1


@pytest.mark.parametrize("row", [("SE", "PASPP"), ("FV", "PSP")])
def test_an_unknown_row_is_rejected(row: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        CovidSegNet(feature_variation=row[0], pyramid=row[1])


def test_the_pyramid_follows_equation_7_or_its_text() -> None:
    assert CovidSegNet(features=4).encoder[-1].merge == "outputs"
    assert CovidSegNet(features=4, merge="inputs").encoder[-1].merge == "inputs"
