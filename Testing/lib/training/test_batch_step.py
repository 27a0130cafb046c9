"""A batch that the memory does not hold goes through in parts, to the same gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from CovidSegLib.errors import InputError
from CovidSegLib.training.batch_step import BatchStep
from CovidSegLib.training.distributed import ProcessGroup
from CovidSegLib.training.losses import TverskyCELoss


class Greedy(nn.Module):
    """A convolution with room for so many images."""

    def __init__(self, room: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.room, self.convolution = room, nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if len(image) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.convolution(image)


def stepper(room: int, said: list[str], processes: ProcessGroup = ProcessGroup()) -> BatchStep:  # noqa: B008
    device = torch.device("cpu")
    return BatchStep(Greedy(room), TverskyCELoss(), device, torch.float32, torch.channels_last, processes, said.append)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(8, 1, 6, 6, generator=generator)
    return image, (image > 0.5).float()


@pytest.mark.parametrize(("room", "parts"), [(4, 2), (3, 4), (1, 8)])
def test_parts_have_the_gradients_of_the_whole(room: int, parts: int) -> None:
    said: list[str] = []
    whole, in_parts = stepper(8, said), stepper(room, said)
    assert in_parts(*batch()) == pytest.approx(whole(*batch()), rel=1e-5)
    for one, other in zip(whole.network.parameters(), in_parts.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    assert in_parts.parts == parts
    assert len(said) == len(bin(parts)) - 3 and f"in {parts} parts now" in said[-1]


def test_parts_stay_for_the_next_batch() -> None:
    said: list[str] = []
    step = stepper(4, said)
    step(*batch())
    step(*batch())
    assert len(said) == 1


def test_a_single_image_too_large_is_told() -> None:
    with pytest.raises(InputError, match="too small for a single image of this recipe; give the recipe a smaller size"):
        stepper(0, [])(*batch())


def test_of_several_processes_none_goes_on_by_itself() -> None:
    with pytest.raises(InputError, match="give the recipe a smaller batch"):
        stepper(4, [], ProcessGroup(0, 2))(*batch())
