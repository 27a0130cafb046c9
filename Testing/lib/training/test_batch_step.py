"""A batch that does not fit into memory is split, with the same gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from CovidSegLib.errors import InputError
from CovidSegLib.training.batch_step import BatchStep
from CovidSegLib.training.distributed import ProcessGroup
from CovidSegLib.training.losses import TverskyCELoss


class LimitedMemory(nn.Module):
    """A convolution with memory for a limited number of images."""

    def __init__(self, room: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.room, self.convolution = room, nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if len(image) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.convolution(image)


def make_step(room: int, messages: list[str], processes: ProcessGroup = ProcessGroup()) -> BatchStep:  # noqa: B008
    device = torch.device("cpu")
    return BatchStep(
        LimitedMemory(room), TverskyCELoss(), device, torch.float32, torch.channels_last, processes, messages.append
    )


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(8, 1, 6, 6, generator=generator)
    return image, (image > 0.5).float()


@pytest.mark.parametrize(("room", "parts"), [(4, 2), (3, 4), (1, 8)])
def test_micro_batches_accumulate_the_gradients_of_the_whole_batch(room: int, parts: int) -> None:
    messages: list[str] = []
    whole, split = make_step(8, messages), make_step(room, messages)
    assert split(*batch()) == pytest.approx(whole(*batch()), rel=1e-5)
    for one, other in zip(whole.network.parameters(), split.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    assert split.micro_batches == parts
    assert len(messages) == len(bin(parts)) - 3 and f"in {parts} parts now" in messages[-1]


def test_the_next_batch_is_split_in_the_same_way() -> None:
    messages: list[str] = []
    step = make_step(4, messages)
    step(*batch())
    step(*batch())
    assert len(messages) == 1


def test_a_single_image_that_does_not_fit_is_reported() -> None:
    with pytest.raises(
        InputError, match=r"too small for a single image of this recipe\. Give the recipe a smaller size"
    ):
        make_step(0, [])(*batch())


def test_distributed_processes_do_not_split_batches() -> None:
    with pytest.raises(InputError, match="Give the recipe a smaller batch"):
        make_step(4, [], ProcessGroup(0, 2))(*batch())
