"""Check that a change to the code has not changed its results.

Record the results of two checkouts on the same machine, then compare them:

    python Testing/benchmarks/same_results.py record BEFORE --checkout PATH_OF_OLD_CHECKOUT
    python Testing/benchmarks/same_results.py record AFTER
    python Testing/benchmarks/same_results.py compare BEFORE AFTER

The results are all files of `covidseg segment` for P001, normal001 and the demo, the files of a short training, and the
exit codes for unusable input. Only the command line is used, so that any two versions can be compared. Files must be
byte-identical except for dates, durations and compression. Sentences in JSON files are compared separately: rewordings
are listed, but are not differences.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("COVIDSEG_DATA") or REPOSITORY.parent / "shared" / "data")
SCANS = ("P001", "normal001")
#: A run of an unusable input that takes longer is recorded as "timeout".
TIMEOUT_SECONDS = 240
#: Keys of JSON files whose values differ from run to run.
VOLATILE = {"created", "seconds", "commit", "versions", "arguments"}
#: Keys of JSON files whose values are sentences for people.
SENTENCES = {"warnings", "notice", "limits", "licence", "data", "summary", "title"}
#: Files that contain durations, or the time at which they were written.
SKIPPED = {"environment.json", "overview.png"}
RECIPE = """
name = "tiny"
title = "Tiny"
summary = "A small network for comparisons."
source = "none"
lungs_from = "unet-cascade"
[infection]
network = "DynUNet"
labels = ["infection"]
intensity = { window_hu = [-1000.0, 200.0] }
region = "lungs"
slices = { size = [32, 32] }
[infection.arguments]
spatial_dims = 2
in_channels = 1
out_channels = 1
kernel_size = [3, 3, 3]
strides = [1, 2, 2]
upsample_kernel_size = [2, 2]
filters = [4, 6, 8]
norm_name = "batch"
[training]
epochs = { infection = 4 }
batch = 4
loss = { name = "half-bce-half-squared-dice" }
optimiser = { name = "adam", learning_rate = 0.01 }
schedule = { name = "one-cycle" }
average = 0.9
augmentation = [{ name = "chest-ct" }, { name = "mirror", probability = 0.5 }]
data = ["tiny"]
"""


def record(out: Path, checkout: Path) -> None:
    """Run all commands of a checkout, and write their results to a folder."""
    out.mkdir(parents=True)
    codes: dict[str, int | str] = {}
    for name in SCANS:
        codes[name] = _run(checkout, "segment", str(DATA / "covid_ct_md" / name), "-o", str(out / name))
    codes["demo"] = _run(checkout, "segment", "--demo", "-o", str(out / "demo"))
    with tempfile.TemporaryDirectory() as scratch:
        recipe, data = Path(scratch) / "tiny.toml", Path(scratch) / "data"
        recipe.write_text(RECIPE, encoding="utf-8")
        _write_data(data)
        arguments = ["train", str(recipe), "--data", str(data), "--out", str(out / "training"), "--workers", "0"]
        codes["train"] = _run(checkout, *arguments, "--validation", "p2", "--test", "p3")
        codes["resume"] = _run(checkout, *arguments, "--validation", "p2", "--test", "p3", "--resume")
        codes["train again"] = _run(checkout, *arguments, "--validation", "p2", "--test", "p3")
        for name, unusable in _unusable_inputs(Path(scratch)):
            codes[name] = _run(checkout, "segment", unusable, "-o", str(Path(scratch) / "out" / name))
        codes["unknown model"] = _run(checkout, "segment", "--demo", "--model", "none", "-o", str(Path(scratch) / "x"))
        codes["unknown option"] = _run(checkout, "segment", "--demo", "--none")
    for tensorboard in out.rglob("events.out.tfevents.*"):
        tensorboard.unlink()
    (out / "exit_codes.json").write_text(json.dumps(codes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _run(checkout: Path, *arguments: str) -> int | str:
    """Run `covidseg` of a checkout, and return its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    print("covidseg", *arguments, flush=True)
    try:
        command = [sys.executable, "-m", "CovidSegLib", *arguments]
        done = subprocess.run(command, env=environment, cwd=checkout, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "timeout"
    return done.returncode


def _write_data(folder: Path) -> None:
    """Write three patients of twelve slices in the layout of covid19_ct_seg_hu, with two lungs and one opacity."""
    data = folder / "covid19_ct_seg_hu"
    data.mkdir(parents=True)
    index = [{"name": f"{patient}_run0", "patient": patient, "slices": 12} for patient in ("p1", "p2", "p3")]
    (data / "index.json").write_text(json.dumps(index), encoding="utf-8")
    z, y, x = np.mgrid[:12, :48, :64]
    for number, entry in enumerate(index):
        body = ((y - 24) / 22) ** 2 + ((x - 32) / 30) ** 2 < 1
        lungs = np.any([((y - 24) / 14) ** 2 + ((x - c) / 10) ** 2 < 1 for c in (18, 46)], axis=0) & body
        infection = ((y - 28) ** 2 + (x - 20 - number) ** 2 + (z - 6) ** 2 < 25) & lungs
        hu = np.select([infection, lungs, body], [-300, -860, 40], -1024).astype(np.int16)
        hu += np.random.default_rng(number).integers(-20, 20, hu.shape, dtype=np.int16)
        for kind, array in (("ct", hu), ("lung", lungs), ("infection", infection)):
            image = sitk.GetImageFromArray(array.astype(np.int16 if kind == "ct" else np.uint8))
            image.SetSpacing((5.0, 5.0, 8.0))
            sitk.WriteImage(image, str(data / f"{entry['name']}_{kind}.nii.gz"))


def _unusable_inputs(scratch: Path) -> Iterator[tuple[str, str]]:
    """Yield name and path of inputs that cannot be segmented, or that earlier versions mishandled."""
    yield "no such file", str(scratch / "missing.nii.gz")
    (scratch / "notes.txt").write_text("not a CT", encoding="utf-8")
    yield "text file", str(scratch / "notes.txt")
    (scratch / "empty").mkdir()
    yield "empty folder", str(scratch / "empty")
    with tarfile.open(DATA / "bad_inputs.tar.xz") as archive:
        archive.extractall(scratch, filter="data")
    for case in sorted((scratch / "cases").iterdir()):
        files = sorted(case.glob("ct.*"))
        # The header or the compressed file; some cases have further files of the same name.
        named = next((path for path in files if path.suffix in (".gz", ".mhd", ".nhdr")), None)
        yield case.name, str(named or (files[0] if files else case))


def compare(before: Path, after: Path) -> int:
    """Print the differences between two recorded folders, and return the number of different files."""
    names = sorted({path.relative_to(root).as_posix() for root in (before, after) for path in _files(root)})
    different, rewordings = [], []
    for name in names:
        first, second = before / name, after / name
        if not (first.exists() and second.exists()):
            different.append(f"{name}: only in {before.name if first.exists() else after.name}")
        elif name.endswith(".json"):
            one, two = (json.loads(path.read_text(encoding="utf-8")) for path in (first, second))
            if _without(one, VOLATILE | SENTENCES) != _without(two, VOLATILE | SENTENCES):
                different.append(name)
            elif _without(one, VOLATILE) != _without(two, VOLATILE):
                rewordings.append(name)
        elif _content(first) != _content(second):
            different.append(name)
    print(f"{len(names)} files compared")
    for name in rewordings:
        print(f"reworded: {name}")
    for name in different:
        print(f"DIFFERENT: {name}")
    return len(different)


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file() and path.name not in SKIPPED)


def _content(path: Path) -> bytes:
    """Read a file without its compression, and without the durations that metrics.csv and checkpoints hold."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.name == "metrics.csv":
        rows = path.read_text(encoding="utf-8").splitlines()
        return "\n".join(row.rpartition(",")[0] for row in rows).encode()
    if path.suffix == ".pt":
        return repr(_plain(torch.load(path, weights_only=True, map_location="cpu"))).encode()
    return path.read_bytes()


def _plain(state: Any) -> Any:
    """A checkpoint without durations, with its tensors as bytes."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items() if key not in VOLATILE}
    if isinstance(state, list | tuple):
        return [_plain(value) for value in state]
    return (str(state.dtype), tuple(state.shape), state.numpy().tobytes()) if isinstance(state, torch.Tensor) else state


def _without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(part, keys) for key, part in value.items() if key not in keys}
    return [_without(part, keys) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="record the results of a checkout")
    recording.add_argument("out", type=Path)
    recording.add_argument("--checkout", type=Path, default=REPOSITORY)
    comparison = commands.add_parser("compare", help="compare two recorded folders")
    comparison.add_argument("before", type=Path)
    comparison.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "record":
        record(options.out.resolve(), options.checkout.resolve())
    else:
        sys.exit(min(1, compare(options.before, options.after)))
