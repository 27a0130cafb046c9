"""The curves of a training as a picture: loss of the training and of held-out scans by epoch, and validation Dice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..figures import palette

if TYPE_CHECKING:
    from .training_log import EpochRecord


def draw_curves(path: Path, records: Sequence[EpochRecord]) -> None:
    """Write curves.png, like Fig. 1 of QC-HC U-Net ("loss function for training and testing").

    Args:
        path: File to write.
        records: The epochs. Validation Dice and held-out loss are drawn for the epochs that were validated.
    """
    figure = Figure(figsize=(7.0, 4.0), dpi=100, facecolor=palette.BACKGROUND, layout="constrained")
    axes = figure.add_subplot(facecolor=palette.BACKGROUND)
    scores = axes.twinx()
    epochs = [record.epoch for record in records]
    axes.plot(epochs, [record.loss for record in records], color=palette.TARGET, label="training loss")
    held_out = [(record.epoch, record.validation_loss) for record in records if record.validation_loss is not None]
    dice = [(record.epoch, record.validation_dice) for record in records if record.validation_dice is not None]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "o-", color=palette.PREDICTION, markersize=3, label="held-out loss")
    if dice:
        scores.plot(*zip(*dice, strict=True), "s--", color=palette.INK, markersize=3, label="validation Dice")
    axes.set_xlabel("epoch", color=palette.INK)
    axes.set_ylabel("loss", color=palette.INK)
    scores.set_ylabel("Dice", color=palette.INK)
    scores.set_ylim(0, 1)
    for each in (axes, scores):
        each.tick_params(colors=palette.INK)
    lines = [*axes.get_lines(), *scores.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], labelcolor=palette.INK, facecolor=palette.BACKGROUND)
    FigureCanvasAgg(figure).print_png(str(path))
