"""What a stage's training leaves to look at: numbers as CSV and for TensorBoard, pictures of validation cases."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..figures.slices import SliceView, draw_comparison
from ..storage.atomic import write_atomically
from ..storage.disk_errors import explain_disk_errors
from .checkpoint import FREE_SPACE_AND_RESUME

#: So many validation cases have pictures.
PICTURED = 4


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean over its steps.
        validation_dice: Of the averaged weights; None where it was not measured.
        learning_rate: At its end.
        seconds: That it took, with the validation.
    """

    epoch: int
    loss: float
    validation_dice: float | None
    learning_rate: float
    seconds: float


class TrainingLog:
    """The rows of all epochs, which checkpoints keep too: a run that goes on has none twice and none too many.

    Args:
        run: The stage's folder.
        say: Takes sentences for the user.
    """

    def __init__(self, run: Path, log: Callable[[str], None]) -> None:
        self.run, self.log = run, log
        self.rows: list[EpochRecord] = []
        self._board: Any = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"rows": [asdict(row) for row in self.rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.rows = [EpochRecord(**row) for row in state["rows"]]

    def open(self, *, kept: bool) -> None:
        """Open TensorBoard's file, where that is installed; what an earlier run wrote past its checkpoint goes.

        Args:
            kept: A checkpoint was loaded; whoever was killed after writing it may not have written metrics.csv.
        """
        if kept:
            self.write()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.log("TensorBoard is not installed: the numbers go to metrics.csv alone.")
            return
        self._board = SummaryWriter(str(self.run / "tensorboard"), purge_step=len(self.rows) + 1)

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._board is not None:
            self._board.close()

    def add(self, row: EpochRecord) -> None:
        """Note an epoch; `write` and `tell` come after the checkpoint."""
        self.rows.append(row)

    def tell(self) -> None:
        """Say the last epoch, to the user and to TensorBoard."""
        row = self.rows[-1]
        dice = "-" if row.validation_dice is None else f"{row.validation_dice:.4f}"
        self.log(
            f"{self.run.name}: epoch {row.epoch}, loss {row.loss:.4f}, validation Dice {dice}, {row.seconds:.0f} s"
        )
        if self._board is not None:
            for key in ("loss", "validation_dice", "learning_rate"):
                if (value := getattr(row, key)) is not None:
                    self._board.add_scalar(key, value, row.epoch)
            self._board.flush()

    def write(self) -> None:
        """Write metrics.csv with all epochs."""
        path = self.run / "metrics.csv"
        with explain_disk_errors(path, if_full=FREE_SPACE_AND_RESUME, only_known=True):
            write_atomically(path, self._write)

    def _write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(EpochRecord)])
            for row in self.rows:
                dice = "" if row.validation_dice is None else f"{row.validation_dice:.4f}"
                writer.writerow([row.epoch, f"{row.loss:.6f}", dice, f"{row.learning_rate:.3g}", f"{row.seconds:.0f}"])

    def draw(self, epoch: int, views: Sequence[SliceView]) -> None:
        """Pictures of validation cases after an epoch, truth and result."""
        folder = self.run / "pictures"
        folder.mkdir(exist_ok=True)
        for view in views[:PICTURED]:
            case = view.location.split(",")[0]
            draw_comparison(
                folder / f"{case}-epoch-{epoch:04d}.png", f"Epoch {epoch}", {f"{self.run.name}, found": view}
            )
