"""The training log of a stage: metrics.csv, curves.png, TensorBoard events and pictures of validation cases."""

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
from .curves import draw_curves

#: Number of validation cases with pictures.
MAX_PICTURES = 4


@dataclass(frozen=True)
class EpochRecord:
    """The log of one epoch. The fields are the columns of metrics.csv.

    Attributes:
        epoch: Number of the epoch, from 1.
        loss: Mean training loss.
        validation_dice: Validation Dice of the averaged weights; None if the epoch was not validated.
        learning_rate: Learning rate at the end of the epoch.
        seconds: Duration, including validation.
        validation_loss: Mean loss of the averaged weights on held-out slices or patches; None if not validated.
    """

    epoch: int
    loss: float
    validation_dice: float | None
    learning_rate: float
    seconds: float
    validation_loss: float | None = None


class TrainingLog:
    """The records of all epochs.

    Checkpoints contain the records too, so that a resumed run neither repeats nor skips one.

    Args:
        folder: Folder of the stage.
        log: Receives sentences for the user.
    """

    def __init__(self, folder: Path, log: Callable[[str], None]) -> None:
        self.folder, self.log = folder, log
        self.records: list[EpochRecord] = []
        self._tensorboard: Any = None

    @property
    def best(self) -> EpochRecord | None:
        """The record with the highest validation Dice, the first of equal ones; None if no epoch was validated."""
        validated = [record for record in self.records if record.validation_dice is not None]
        return max(validated, key=lambda record: record.validation_dice or 0.0, default=None)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"rows": [asdict(record) for record in self.records]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.records = [EpochRecord(**row) for row in state["rows"]]

    def open(self, *, resumed: bool) -> None:
        """Open the TensorBoard file, if TensorBoard is installed, and drop events later than the last checkpoint.

        Args:
            resumed: A checkpoint was loaded. Then metrics.csv is written again, as the earlier process may have been
                killed between the two files.
        """
        if resumed:
            self.write_csv()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.log("TensorBoard is not installed. The metrics are only written to metrics.csv.")
            return
        self._tensorboard = SummaryWriter(str(self.folder / "tensorboard"), purge_step=len(self.records) + 1)

    def close(self) -> None:
        """Close the TensorBoard file."""
        if self._tensorboard is not None:
            self._tensorboard.close()

    def append(self, record: EpochRecord) -> None:
        """Add an epoch. `write_csv` and `report_last` are called after the checkpoint is saved."""
        self.records.append(record)

    def report_last(self) -> None:
        """Report the last epoch to the user and to TensorBoard."""
        record = self.records[-1]
        dice = "-" if record.validation_dice is None else f"{record.validation_dice:.4f}"
        self.log(
            f"{self.folder.name}: epoch {record.epoch}, loss {record.loss:.4f}, validation Dice {dice}, "
            f"{record.seconds:.0f} s"
        )
        if self._tensorboard is not None:
            for key in ("loss", "validation_loss", "validation_dice", "learning_rate"):
                if (value := getattr(record, key)) is not None:
                    self._tensorboard.add_scalar(key, value, record.epoch)
            self._tensorboard.flush()

    def write_csv(self) -> None:
        """Write metrics.csv with all epochs."""
        path = self.folder / "metrics.csv"
        with explain_disk_errors(path, if_full=FREE_SPACE_AND_RESUME, only_known=True):
            write_atomically(path, self._write_csv)

    def draw_curves(self) -> None:
        """Write curves.png with all epochs."""
        path = self.folder / "curves.png"
        with explain_disk_errors(path, if_full=FREE_SPACE_AND_RESUME, only_known=True):
            write_atomically(path, lambda temporary: draw_curves(temporary, self.records))

    def _write_csv(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(EpochRecord)])
            for record in self.records:
                dice = "" if record.validation_dice is None else f"{record.validation_dice:.4f}"
                held_out = "" if record.validation_loss is None else f"{record.validation_loss:.6f}"
                rate, seconds = f"{record.learning_rate:.3g}", f"{record.seconds:.0f}"
                writer.writerow([record.epoch, f"{record.loss:.6f}", dice, rate, seconds, held_out])

    def save_pictures(self, epoch: int, views: Sequence[SliceView]) -> None:
        """Save pictures of validation cases after an epoch, with target and prediction."""
        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        for view in views[:MAX_PICTURES]:
            case = view.location.split(",")[0]
            path = folder / f"{case}-epoch-{epoch:04d}.png"
            draw_comparison(path, f"Epoch {epoch}", {f"{self.folder.name}, prediction": view})
