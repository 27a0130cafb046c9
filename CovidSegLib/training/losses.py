"""The losses of the published systems, by the names in `LOSSES`. Each takes a network's logits and a mask.

A loss takes one of two kinds of masks:

- class masks: integers (batch, 1, *spatial), the index of the label at each voxel; with logits
  (batch, labels, *spatial) and softmax.
- binary masks: zeros and ones (batch, channels, *spatial), with as many channels of logits and a sigmoid for each.

Cross-entropy is the mean over voxels, even where a paper prints the sum (CHS-Net, Eq. 13): next to a sum over a million
voxels, a Dice loss of at most one would have no effect. Dice and Tversky losses are MONAI's, which add 1e-5 to
numerator and denominator. They are zero where both target and prediction are empty.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai import losses as monai_losses
from torch import nn
from torch.nn import functional

from ..recipe import Component


class TverskyCELoss(nn.Module):
    """Cross-entropy plus Tversky loss (QC-HC U-Net, Eqs. 9 to 11); softmax, class mask.

        L = -mean_o sum_c y_oc log p_oc + N - sum_c TP_c / (TP_c + alpha FN_c + beta FP_c)

    with soft counts over all N labels including the background. Eq. 11 ends in a lone "F", which stands for FP. The
    counts are taken for each patch and the loss is averaged over the batch, as in MIScnn, which the paper uses.

    Args:
        alpha: Weight of false negatives. With the paper's 0.5 the Tversky index is Dice.
        beta: Weight of false positives; 0.5 in the paper.
    """

    def __init__(self, alpha: float = 0.5, beta: float = 0.5) -> None:
        super().__init__()
        # In MONAI, alpha weights false positives and beta false negatives.
        self.tversky = monai_losses.TverskyLoss(softmax=True, to_onehot_y=True, alpha=beta, beta=alpha)

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tversky = logits.shape[1] * self.tversky(logits, mask)  # MONAI takes the mean over labels
        return tversky + functional.cross_entropy(logits, mask[:, 0].long())


class DiceCELoss(monai_losses.DiceCELoss):
    """Weighted Dice and cross-entropy (COVID-SegNet, section "Implementation Details"); softmax, class mask.

        L = dice * mean_c (1 - 2 sum p_c y_c / (sum p_c + sum y_c)) - ce * mean_o sum_c y_oc log p_oc

    The paper only gives the weights. Dice has the form that the paper uses for evaluation and includes all labels. It
    is computed over the whole batch, so that patches without infection contribute too.

    Args:
        dice, ce: Weights; 0.5 and 0.5 in the paper.
    """

    def __init__(self, dice: float = 0.5, ce: float = 0.5) -> None:
        super().__init__(softmax=True, to_onehot_y=True, batch=True, lambda_dice=dice, lambda_ce=ce)


class DiceLoss(monai_losses.DiceLoss):
    """Dice with squared denominators (RA-UNet, section 4.4); sigmoid, binary mask.

        L = 1 - 2 sum p y / (sum p^2 + sum y^2)

    RA-UNet names "Dice loss" and V-Net (its reference 7), which squares the denominators. Dice is computed over the
    whole batch, so that patches without infection contribute too.
    """

    def __init__(self) -> None:
        super().__init__(sigmoid=True, squared_pred=True, batch=True)

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(logits, mask.to(logits.dtype))


class BCEDiceLoss(nn.Module):
    """Weighted binary cross-entropy and Dice; sigmoid, binary mask.

        L = -bce * mean (y log p + (1 - y) log(1 - p)) + dice * (1 - 2 sum p y / (sum p^n + sum y^n))

    The defaults are those of FV-PASPP U-Net (section 3.1), 0.5 BCE + Dice. That paper does not print its Dice loss; n =
    1 is the form of the Dice score. Dice is computed over the whole batch, so that patches and slices without infection
    contribute too, and averaged over channels.

    Args:
        bce, dice: Weights.
        squared: Use n = 2 in the denominators, otherwise n = 1.
    """

    def __init__(self, bce: float = 0.5, dice: float = 1.0, squared: bool = False) -> None:
        super().__init__()
        self.weights = bce, dice
        self.dice = monai_losses.DiceLoss(sigmoid=True, squared_pred=squared, batch=True)

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        bce, dice = self.weights
        mask = mask.to(logits.dtype)
        return bce * functional.binary_cross_entropy_with_logits(logits, mask) + dice * self.dice(logits, mask)


class SegmentationLoss(BCEDiceLoss):
    """Half binary cross-entropy, half Dice with squared denominators (CHS-Net, Eqs. 13 to 15); sigmoid, binary mask."""

    def __init__(self) -> None:
        super().__init__(bce=0.5, dice=0.5, squared=True)


class DeepSupervisionLoss(monai_losses.DeepSupervisionLoss):
    """A loss on several outputs of a network (FV-PASPP U-Net, section 3.2), with the kind of mask that the loss takes.

    Takes a list of logits of the mask's size, the final ones first, as in MONAI. The final logits have the weight
    `final`, and the others share 1 - `final` evenly. Also takes the final logits alone, without a list, as networks
    return them outside training; their weight is then 1.

    Args:
        loss: The loss of one output.
        final: Weight of the final logits; 0.5 in the paper.
    """

    def __init__(self, loss: nn.Module, final: float = 0.5) -> None:
        super().__init__(loss)  # type: ignore[arg-type]
        self.final = final

    def get_weights(self, levels: int = 1) -> list[float]:
        if levels <= 1:
            return [1.0]
        return [self.final] + [(1 - self.final) / (levels - 1)] * (levels - 1)


class EdgeLoss(nn.Module):
    """A loss on several outputs of a network whose last one is the outline (Inf-Net, Fan et al. 2020, section III-B).

    Adds the binary cross-entropy of the outline, with the weight of the final logits, so that all terms have the same
    weight if `final` is 1 / (number of other outputs). Outside training, there is no outline.

    Args:
        loss: The loss of the other outputs.
    """

    def __init__(self, loss: DeepSupervisionLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: torch.Tensor | list[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
        if not isinstance(logits, list):
            return self.loss(logits, mask)
        *maps, edge = logits
        outline = outline_of(mask).to(edge.dtype)
        return self.loss(maps, mask) + self.loss.final * functional.binary_cross_entropy_with_logits(edge, outline)


def outline_of(mask: torch.Tensor) -> torch.Tensor:
    """Return where the gradient of a mask is not zero: where a neighbour, also diagonally, has another value.

    Args:
        mask: (batch, channels, *spatial), class mask or binary masks.

    Returns:
        A boolean tensor (batch, 1, *spatial). Voxels on both sides of an outline are part of it.
    """
    pool = functional.max_pool2d if mask.ndim == 4 else functional.max_pool3d
    values = mask.float()
    changes = pool(values, 3, stride=1, padding=1) + pool(-values, 3, stride=1, padding=1)
    return (changes > 0).any(dim=1, keepdim=True)


LOSSES: dict[str, Callable[..., nn.Module]] = {
    "tversky-ce": TverskyCELoss,  # QC-HC U-Net, Eqs. 9 to 11; class mask
    "dice-ce": DiceCELoss,  # COVID-SegNet; class mask
    "dice": DiceLoss,  # RA-UNet, section 4.4; binary mask
    "bce-dice": BCEDiceLoss,  # FV-PASPP U-Net, section 3.1: 0.5 BCE + Dice; binary mask
    "half-bce-half-squared-dice": SegmentationLoss,  # CHS-Net, Eqs. 13 to 15; binary mask
}
"""Losses by name. Their arguments are weights, which default to the values of the paper."""
CLASS_LOSSES = {"tversky-ce", "dice-ce"}
"""The losses that take class masks."""


def build_loss(component: Component, final_weight: float, network: nn.Module | None = None) -> nn.Module:
    """Return the loss that a recipe names, for a network's logits or, with deep supervision, its list of logits."""
    loss = DeepSupervisionLoss(LOSSES[component.name](**component.arguments), final_weight)
    return EdgeLoss(loss) if getattr(network, "has_edge_branch", False) else loss
