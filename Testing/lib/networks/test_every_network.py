"""Every published network with the arguments of every row of its paper's tables, in two and three dimensions."""

from itertools import product
from typing import Any

import pytest
import torch
from support.network_checks import ROWS, boxes, idle_parameters, overfit, settle

from CovidSegLib.networks import build
from CovidSegLib.networks.drawing.__main__ import PAPERS
from CovidSegLib.training.losses import BCEDiceLoss, DeepSupervisionLoss, DiceCELoss, SegmentationLoss, TverskyCELoss

#: The loss of each network's paper, and its default number of output channels.
LOSS = {
    "QCHCUNet": TverskyCELoss(),
    "RAUNet": BCEDiceLoss(),
    "CovidSegNet": DiceCELoss(),
    "FVPASPPUNet": DeepSupervisionLoss(BCEDiceLoss()),
    "RAIUNet": SegmentationLoss(),
    "CHSNet": SegmentationLoss(),
}
CHANNELS = {"QCHCUNet": 4, "RAUNet": 1, "CovidSegNet": 3, "FVPASPPUNet": 1, "RAIUNet": 1, "CHSNet": 2}
# CHS-Net is RAIUNet twice. In three dimensions, which take the longest, only its last row is tested.
CASES = [
    (name, row, dims)
    for name, rows in ROWS.items()
    for row, dims in product(rows, (2, 3))
    if name != "CHSNet" or dims == 2 or row == rows[-1]
]

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),  # the warnings say that a trace is for one size
]


def cases(chosen: list[tuple[str, dict[str, Any], int]], *, slow: bool = False) -> pytest.MarkDecorator:
    """Return a decorator that runs a test with each of these rows; a slow test with the last one, unless -m slow."""
    names = [f"{name} {' '.join(map(str, row.values()))} {dims}D" for name, row, dims in chosen]
    parameters = [
        pytest.param(name, row, dims, marks=[pytest.mark.slow] if slow and row != ROWS[name][-1] else [])
        for name, row, dims in chosen
    ]
    return pytest.mark.parametrize(("name", "row", "dims"), parameters, ids=names)


every_case = cases(CASES)
# Slow tests: rows are traced in the dimensions of their paper, and only last rows are trained in three dimensions.
PAPERS_DIMS = {name: len(PAPERS[name][0]) for name in ROWS}
traced_cases = cases(
    [
        case
        for case in CASES
        if case[2] == PAPERS_DIMS[case[0]] and (case[0] != "CHSNet" or case[1] == ROWS["CHSNet"][-1])
    ],
    slow=True,
)
learning_cases = cases(
    [case for case in CASES if case[2] == 2 or (case[1] == ROWS[case[0]][-1] and case[0] != "CHSNet")],
    slow=True,
)


def small(name: str, row: dict[str, Any], dims: int, **arguments: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(name, {"spatial_dims": dims, "features": 4, **row, **arguments})


def logits_of(output: torch.Tensor | list[torch.Tensor]) -> list[torch.Tensor]:
    """Return all logits: several in training with deep supervision."""
    return output if isinstance(output, list) else [output]


@every_case
def test_odd_sizes_are_kept_and_every_parameter_has_a_gradient(name: str, row: dict[str, Any], dims: int) -> None:
    # A ReLU is zero half of the time, but the depth descriptor of spectral attention needs a positive one.
    network = small(name, row, dims, features=16 if row.get("inception") and row["attention"] else 4, in_channels=2)
    outputs = logits_of(network(torch.rand(2, 2, *(17, 7, 5)[:dims])))
    assert (len(outputs) > 1) == bool(row.get("deep_supervision"))
    assert {tuple(logits.shape) for logits in outputs} == {(2, CHANNELS[name], *(17, 7, 5)[:dims])}
    sum(logits.square().mean() for logits in outputs).backward()
    assert not idle_parameters(network)


@every_case
def test_the_smallest_sizes_are_kept_and_can_be_trained(name: str, row: dict[str, Any], dims: int) -> None:
    """A single voxel, with one value for each channel in batch normalisation, and an axis of one voxel."""
    network = small(name, row, dims)
    for sizes in ((1, 1, 1)[:dims], (1, 37, 2)[:dims]):
        image = torch.rand(1, 1, *sizes)
        outputs = logits_of(network.train()(image))
        sum(logits.square().mean() for logits in outputs).backward()
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
        with torch.no_grad():
            for logits in [*outputs, network.eval()(image)]:
                assert logits.shape == (1, CHANNELS[name], *sizes) and logits.isfinite().all()


@every_case
def test_samples_are_independent_and_half_precision_is_finite(name: str, row: dict[str, Any], dims: int) -> None:
    network, image = settle(small(name, row, dims)), torch.rand(2, 1, *(7, 20, 9)[:dims])
    with torch.no_grad():
        both = network(image)
        torch.testing.assert_close(both[1:], network(image[1:]), atol=1e-5, rtol=1e-4)
        assert not torch.allclose(both[1:], both[:1], atol=1e-3)  # the output depends on the image
        with torch.autocast("cpu", torch.bfloat16):
            assert all(logits.isfinite().all() for logits in logits_of(network.train()(image)))
            assert network.eval()(image).isfinite().all()
        logits = network.half()(image.half())
        assert logits.dtype == torch.float16 and logits.isfinite().all()


@traced_cases
def test_torchscript_computes_the_same(name: str, row: dict[str, Any], dims: int) -> None:
    network, image = settle(small(name, row, dims)), torch.rand(1, 1, *(7, 20, 9)[:dims])
    with torch.no_grad():
        traced = torch.jit.trace(network, image, check_trace=False)
        torch.testing.assert_close(traced(image), network(image), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "CHSNet"])
def test_export_leaves_the_network_usable(name: str) -> None:
    """No other test uses this size: values that the export computes must not remain in a cache of the network."""
    dims = PAPERS_DIMS[name]
    network, image = settle(small(name, ROWS[name][-1], dims)), torch.rand(1, 1, *(50, 20, 7)[:dims])
    with torch.no_grad():
        exported = torch.export.export(network, (image,)).module()(image)
        plain = network(image)
    assert type(plain) is torch.Tensor
    torch.testing.assert_close(exported, plain)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "CHSNet"])
def test_every_decoder_level_takes_the_output_of_its_encoder_level(name: str) -> None:
    """These are the skip connections of the papers' figures. Those of RAIU-Net pass through its attention."""
    network = small(name, ROWS[name][-1], 2)
    encoded: dict[int, torch.Tensor] = {}
    taken: dict[int, torch.Tensor] = {}
    skips = encoded
    for level, block in enumerate(network.encoder):
        block.register_forward_hook(lambda _, inputs, output, at=level: encoded.update({at: output.clone()}))
    for level, block in enumerate(network.decoder):
        block.register_forward_pre_hook(lambda _, inputs, at=level: taken.update({at: inputs[0].clone()}))
    if name == "RAIUNet":
        skips, given = {}, {}
        for level, block in enumerate(network.attention):
            block.register_forward_hook(lambda _, inputs, output, at=level: skips.update({at: output.clone()}))
            block.register_forward_pre_hook(lambda _, inputs, at=level: given.update({at: inputs}))
    network(torch.rand(2, 1, 32, 32))
    assert len(taken) == len(encoded) - 1
    for level, maps in taken.items():
        skip = skips[level]
        width = skip.shape[1]
        assert torch.equal(maps[:, :width], skip) or torch.equal(maps[:, -width:], skip)
        if name == "RAIUNet":  # Eq. 10: the skip connection and the next deeper output of the encoder
            assert torch.equal(given[level][0], encoded[level]) and torch.equal(given[level][1], encoded[level + 1])


@learning_cases
def test_overfits_one_patch(name: str, row: dict[str, Any], dims: int) -> None:
    network = small(name, row, dims, features=8 if dims == 2 else 4)
    labels = 3 if name == "CHSNet" else min(max(2, CHANNELS[name]), 3)
    image, mask = boxes([16] * dims, labels)
    if name == "CHSNet":
        mask = torch.cat([mask > 0, mask == 2], dim=1).long()  # lungs, infection
    assert overfit(network, LOSS[name], image, mask) > 0.95
