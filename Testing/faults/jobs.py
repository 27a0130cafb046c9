"""Commands that are disturbed, what the user has before, and what must hold after."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk
from support.phantoms import UPPER, phantom_on
from support.tiny_data import write_data, write_recipe
from support.tiny_run import make_run

from CovidSegLib.runs.card import write_card

#: The stage at which half of a file has come over the network.
HALFWAY = "half of the download"
#: The model that is downloaded, and the file in which `prepare` leaves space for its address.
MODEL, ADDRESS = "served.zip", "address"
#: A file of the user beside the results, which must never change.
NOTES, NOTES_TEXT = "notes.txt", "what the user wrote\n"


@dataclass(frozen=True)
class Job:
    """A command that writes into a folder.

    Attributes:
        name: Name in the table.
        stages: Words of the progress or output at which a fault strikes, in their order.
        arguments: Arguments of `covidseg`, given the folder with the inputs and that for the results.
        again: Arguments of the next run, which must succeed; those of the first run if None.
        complete: Names that a complete result has.
        partly: Names that may be there without the others, because the next run goes on with them.
        program: What Python runs, in place of `-m CovidSegLib`. It is not killed while it writes files.
    """

    name: str
    stages: tuple[str, ...]
    arguments: Callable[[Path, Path], list[str]]
    complete: tuple[str, ...]
    again: Callable[[Path, Path], list[str]] | None = None
    partly: tuple[str, ...] = ()
    program: tuple[str, ...] = ("-m", "CovidSegLib")

    def command(self, arguments: list[str]) -> list[str]:
        """Return the command that runs `covidseg` with arguments."""
        return [sys.executable, *self.program, *arguments]

    def is_complete(self, out: Path) -> bool:
        """Whether all files of the result are there, and can be read."""
        if not all((out / name).exists() for name in self.complete):
            return False
        for name in self.complete:
            if name.endswith(".json"):
                json.loads((out / name).read_text())
            elif name.endswith(".nrrd"):
                sitk.ReadImage(str(out / name))
        return True

    def is_untouched(self, out: Path) -> bool:
        """Whether no part of a result is there."""
        return not any((out / name).exists() for name in self.complete)


def prepare(place: Path) -> None:
    """Write the inputs of all jobs."""
    place.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(phantom_on(UPPER).volume.to_image(), str(place / "ct.nrrd"), True)
    write_data(place / "data")
    write_recipe(place)
    make_run(place / "tiny-run")
    write_card(place / "tiny-run")
    with zipfile.ZipFile(place / MODEL, "w") as archive:
        for name in ("model.safetensors", "card.json", "recipe.toml"):
            archive.write(place / "tiny-run" / name, name)


SEGMENT = Job(
    "segment",
    ("Reading the CT", "Finding the infection", "Making the surfaces", "Saving the report"),
    lambda place, out: ["segment", str(place / "ct.nrrd"), "-o", str(out), "--skip", "overview", "--progress", "json"],
    ("segmentation.seg.nrrd", "report.json"),
)
TRAIN = Job(
    "train",
    ("Starting", "epoch 1,", "epoch 3,"),
    lambda place, out: [
        *("train", str(place / "tiny.toml"), "--data", str(place / "data"), "-o", str(out / "run")),
        *("--validation", "p2", "--test", "p3", "--epochs", "3", "--progress", "json"),
    ],
    ("run/card.json", "run/training.json", "run/model.safetensors"),
    again=lambda place, out: [
        *("train", str(place / "tiny.toml"), "--data", str(place / "data"), "-o", str(out / "run")),
        *("--validation", "p2", "--test", "p3", "--epochs", "3", "--progress", "json"),
        *(["--resume"] if (out / "run" / "settings.json").exists() else []),
    ],
    partly=("run",),
)
EVALUATE = Job(
    "evaluate",
    ("Segmenting p1", "Writing the tables", "Drawing the pictures"),
    lambda place, out: [
        *("evaluate", str(place / "data"), "-o", str(out), "--model", "unet-cascade", "--patients", "p1"),
        *("--progress", "json"),
    ],
    ("cases.csv", "results.json", "evaluation.md"),
)
MODELS = Job(
    "models pack",
    ("",),
    lambda place, out: ["models", "pack", str(place / "tiny-run"), "--name", "mine"],
    ("models/mine/card.json", "models/mine/model.safetensors"),
)
INSTALL = Job(
    "models install",
    (HALFWAY,),
    lambda place, out: [
        *("models", "install", (place / ADDRESS).read_text(), "--name", "fetched"),
        *("--sha256", hashlib.sha256((place / MODEL).read_bytes()).hexdigest()),
    ],
    ("models/fetched/card.json", "models/fetched/model.safetensors"),
)
DATA = Job(
    "data split",
    ("",),
    lambda place, out: ["data", "split", str(place / "data"), "-o", str(out / "split.json")],
    ("split.json",),
)
DOWNLOAD = Job(
    "data download",
    (HALFWAY,),
    lambda place, out: [(place / ADDRESS).read_text(), "data", "download", "served", "-o", str(out / "set")],
    ("set/downloads.json", "set/served/model.safetensors"),
    partly=("set",),
    program=(str(Path(__file__).with_name("served_data.py")),),
)
JOBS = {job.name: job for job in (SEGMENT, TRAIN, EVALUATE, MODELS, INSTALL, DATA, DOWNLOAD)}
