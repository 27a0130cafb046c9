"""A stage of a recipe together with its network."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..recipe import Stage
from .engines import SliceNetwork

if TYPE_CHECKING:
    from torch import nn


class LoadedStage(NamedTuple):
    """A stage of a recipe and its network.

    Attributes:
        stage: The stage of the recipe.
        network: The network with its weights: a PyTorch network in evaluation mode and on its device, or one that an
            engine has made ready, for slices.
        temperature: Divisor of the infection's logits that calibrates its probabilities (Guo et al., ICML 2017).
    """

    stage: Stage
    network: nn.Module | SliceNetwork
    temperature: float = 1.0

    @property
    def slice_network(self) -> SliceNetwork:
        """The network as an engine runs it on slices."""
        if isinstance(self.network, SliceNetwork):
            return self.network
        from .engines.torch_engine import TorchNetwork

        return TorchNetwork(self.network)

    def eval(self) -> None:
        """Put a PyTorch network into evaluation mode. Others are in it always."""
        if not isinstance(self.network, SliceNetwork):
            self.network.eval()
