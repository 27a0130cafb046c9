"""The losses that the published systems train with, by name in LOSSES; each takes a network's logits and a mask.

The mask is one of two kinds, and the loss says which:

- classes: whole numbers (batch, 1, *spatial), a label a voxel; for logits (batch, labels, *spatial) and their softmax.
- binary: zeros and ones (batch, channels, *spatial), as many channels as logits; for a sigmoid a channel.

Cross-entropy is the mean over voxels, also where a paper prints the sum (CHS-Net Eq. 13): beside a sum over a million
voxels its Dice, at most one, would not count. Dice and Tversky are MONAI's, which add 1e-5 to numerator and
denominator; what has neither truth nor finding costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai import losses as monai_losses
from torch import nn
from torch.nn import functional

from ..recipe import Component


class TverskyCELoss(nn.Module):
    """Cross-entropy plus Tversky loss (QC-HC U-Net, Eqs. 9 to 11); softmax, mask of classes.

        L = -mean_o sum_c y_oc log p_oc + N - sum_c TP_c / (TP_c + alpha FN_c + beta FP_c)

    with soft counts over all N labels, background too. Eq. 11 ends in a lone "F", which is FP. Counts are a patch's,
    and the batch's patches are averaged, as in MIScnn, with which the paper trains.

    Args:
        alpha: Weight of false negatives; the paper's 0.5, which makes Tversky Dice.
        beta: Weight of false positives; the paper's 0.5.
    """

    def __init__(self, alpha: float = 0.5, beta: float = 0.5) -> None:
        super().__init__()
        # MONAI's alpha weighs false positives and its beta false negatives.
        self.tversky = monai_losses.TverskyLoss(softmax=True, to_onehot_y=True, alpha=beta, beta=alpha)

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tversky = logits.shape[1] * self.tversky(logits, mask)  # MONAI's is the mean over labels
        return tversky + functional.cross_entropy(logits, mask[:, 0].long())


class DiceCELoss(monai_losses.DiceCELoss):
    """Weighted Dice and cross-entropy (COVID-SegNet, section "Implementation Details"); softmax, mask of classes.

        L = dice * mean_c (1 - 2 sum p_c y_c / (sum p_c + sum y_c)) - ce * mean_o sum_c y_oc log p_oc

    The paper gives the weights alone; Dice is that of its evaluation, over all labels and, so that patches without
    infection count too, over the whole batch.

    Args:
        dice, ce: Weights; the paper's 0.5 and 0.5.
    """

    def __init__(self, dice: float = 0.5, ce: float = 0.5) -> None:
        super().__init__(softmax=True, to_onehot_y=True, batch=True, lambda_dice=dice, lambda_ce=ce)


class DiceLoss(monai_losses.DiceLoss):
    """Dice with squared denominators (RA-UNet, section 4.4); sigmoid, binary mask.

        L = 1 - 2 sum p y / (sum p^2 + sum y^2)

    RA-UNet names "Dice loss" and V-Net (its reference 7), whose denominators are squared. Dice is taken over the whole
    batch, so that patches without infection count too.
    """

    def __init__(self) -> None:
        super().__init__(sigmoid=True, squared_pred=True, batch=True)

    def forward(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(logits, mask.to(logits.dtype))


class BCEDiceLoss(nn.Module):
    """Weighted binary cross-entropy and Dice; sigmoid, binary mask.

        L = -bce * mean (y log p + (1 - y) log(1 - p)) + dice * (1 - 2 sum p y / (sum p^n + sum y^n))

    The defaults are those of FV-PASPP U-Net (section 3.1), 0.5 BCE + Dice, which does not print its Dice; n = 1 is that
    of Dice as a score. Dice is taken over the whole batch, so that patches and slices without infection count too;
    channels are averaged.

    Args:
        bce, dice: Weights.
        squared: n = 2 in the denominators if so, else 1.
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
    """A loss on several maps of a network (FV-PASPP U-Net, section 3.2); the mask is of the kind that the loss takes.

    Takes the network's final logits, or a list of logits whose first is the final one, as MONAI has it, each of the
    mask's size: `final` times the loss of the first, and the rest of one spread evenly over the others. Final logits
    alone, which a network gives when it is not training, have their loss unweighted.

    Args:
        loss: The loss of one map.
        final: Weight of the final map; the paper's 0.5.
    """

    def __init__(self, loss: nn.Module, final: float = 0.5) -> None:
        super().__init__(loss)  # type: ignore[arg-type]
        self.final = final

    def get_weights(self, levels: int = 1) -> list[float]:
        if levels <= 1:
            return [1.0]
        return [self.final] + [(1 - self.final) / (levels - 1)] * (levels - 1)


LOSSES: dict[str, Callable[..., nn.Module]] = {
    "tversky-ce": TverskyCELoss,  # QC-HC U-Net, Eqs. 9 to 11; mask of classes
    "dice-ce": DiceCELoss,  # COVID-SegNet; mask of classes
    "dice": DiceLoss,  # RA-UNet, section 4.4; binary mask
    "bce-dice": BCEDiceLoss,  # FV-PASPP U-Net, section 3.1: 0.5 BCE + Dice; binary mask
    "half-bce-half-squared-dice": SegmentationLoss,  # CHS-Net, Eqs. 13 to 15; binary mask
}
"""A loss by its name; the arguments are the weights, the paper's if not given."""
CLASS_LOSSES = {"tversky-ce", "dice-ce"}
"""Those of them that take a mask of classes."""


def build_loss(choice: Component, final_weight: float) -> nn.Module:
    """The loss that a recipe names, for a network's logits or, with deep supervision, its list of them."""
    return DeepSupervisionLoss(LOSSES[choice.name](**choice.arguments), final_weight)
