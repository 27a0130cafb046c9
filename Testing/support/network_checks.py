"""The rows of the papers' ablation tables, and checks of whole networks."""

from collections.abc import Sequence
from typing import Any

import torch

#: The switches of every row of the papers' ablation tables, by network; the last row is the paper's network. Recipes
#: list the rows with their results in `[[reported.ablation]]`. Rows without results, and variants for which text and
#: figures of a paper differ, are listed here too.
ROWS: dict[str, list[dict[str, Any]]] = {
    "QCHCUNet": [
        {"quick_connection": False, "hypercolumns": False},  # 3D U-Net of Tables 1 to 3
        {"quick_connection": False, "hypercolumns": True},
        {"quick_connection": True, "hypercolumns": False},
        {"quick_connection": True, "hypercolumns": True},  # QC-HC U-Net
    ],
    "RAUNet": [
        {"residual": False, "attention": False},  # U-Net of Table 1
        {"residual": True, "attention": False},
        {"residual": False, "attention": True},
        {"residual": True, "attention": True, "positions": False},
        {"residual": True, "attention": True},  # RA-UNet
    ],
    "CovidSegNet": [  # Table II
        {"feature_variation": "none", "pyramid": "none"},  # UNet4
        {"feature_variation": "CAB", "pyramid": "none"},
        {"feature_variation": "CEB", "pyramid": "none"},
        {"feature_variation": "PSB", "pyramid": "none"},
        {"feature_variation": "FV", "pyramid": "none"},
        {"feature_variation": "none", "pyramid": "ASPP"},
        {"feature_variation": "none", "pyramid": "ResASPP"},
        {"feature_variation": "none", "pyramid": "PASPP"},
        {"feature_variation": "FV", "pyramid": "PASPP", "merge": "inputs"},  # the text of Eq. 7
        {"feature_variation": "FV", "pyramid": "PASPP"},  # COVID-SegNet
    ],
    "FVPASPPUNet": [  # Tables 2 and 3
        {"feature_variation": "none", "pyramid": "none", "deep_supervision": False},  # UNet(Baseline)
        {"feature_variation": "SE", "pyramid": "none", "deep_supervision": False},  # UNet+FV (SE Block)
        {"feature_variation": "CE", "pyramid": "none", "deep_supervision": False},  # UNet+FV (CE Block)
        {"feature_variation": "SE", "pyramid": "PASPP", "deep_supervision": False},  # UNet+FV+PASPP
        {"feature_variation": "CE", "pyramid": "PASPP", "deep_supervision": True},
        {"feature_variation": "SE", "pyramid": "PASPP", "deep_supervision": True},  # UNet+FV+PASPP+DS
    ],
    "RAIUNet": [  # Table 4
        {"inception": False, "hybrid_pooling": False, "attention": False},  # BU
        {"inception": True, "hybrid_pooling": False, "attention": False},  # BU+RIB
        {"inception": True, "hybrid_pooling": True, "attention": False},  # BU+RIB+HP
        {"inception": True, "hybrid_pooling": True, "attention": True},  # RAIU-Net
    ],
}
ROWS["CHSNet"] = ROWS["RAIUNet"]  # Table 5


def parameters(network: torch.nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def idle_parameters(network: torch.nn.Module) -> list[str]:
    """Return the names of the parameters without a gradient from the last backward pass."""
    return [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def boxes(sizes: Sequence[int], labels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an image (1, 1, *sizes) of noisy nested boxes, one for each label, and its integer labels."""
    torch.manual_seed(1)
    mask = torch.zeros(1, 1, *sizes, dtype=torch.long)
    for label in range(1, labels):
        mask[(..., *(slice(2 * label, size - 3 * label) for size in sizes))] = label
    return torch.rand(mask.shape) * 0.3 + mask * 0.4, mask


def overfit(
    network: torch.nn.Module, loss: torch.nn.Module, image: torch.Tensor, mask: torch.Tensor, steps: int = 100
) -> float:
    """Train on one image and return the lowest Dice of a channel, once it exceeds 0.95 or after `steps` steps.

    With a class mask, the Dice is that of the last label, predicted where its logit is the largest. With binary masks,
    a channel is predicted where its logit is positive.
    """
    optimiser, dice = torch.optim.Adam(network.parameters(), 0.01), 0.0
    spatial = tuple(range(2, image.ndim))
    for _ in range(steps):
        output = network(image)
        final = output[0] if isinstance(output, list) else output
        labels = final.shape[1] > mask.shape[1]
        prediction, target = (
            (final.argmax(1, keepdim=True) == mask.max(), mask == mask.max()) if labels else (final > 0, mask > 0)
        )
        dice = float((2 * (prediction & target).sum(spatial) / (prediction.sum(spatial) + target.sum(spatial))).min())
        if dice > 0.95:
            break
        optimiser.zero_grad()
        loss(output, mask).backward()
        optimiser.step()
    return dice


def settle(network: torch.nn.Module) -> torch.nn.Module:
    """Put a network into evaluation mode, with batch normalisations as if trained: no mean is 0 and no factor is 1."""
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()
