"""Speaks the child process's protocol without a network: `python fake_child.py MODE segment CT --output FOLDER ...`.

The modes are the functions below. "done" finds exactly the voxels that harness.make_ct painted.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def done(ct, output):
    """Segments and reports like the real one."""
    import SimpleITK as sitk

    from CovidSegLib.outputs.seg_nrrd import write_seg_nrrd
    from CovidSegLib.segmentation import Segmentation
    from CovidSegLib.volume import Volume

    say("progress", stage="Finding the lungs", fraction=0.31, seconds_left=14.2)
    volume = Volume.of_image(sitk.ReadImage(str(ct)))
    infection = volume.array == -500
    lungs = (volume.array == -850) * 1 + (volume.array == -851) * 2 + infection * 1
    provenance = {"model": {"name": "fake", "sha256": "ab" * 32}, "versions": {"covidseg": "1.2.3"}}
    segmentation = Segmentation(lungs.astype("uint8"), infection, infection.astype("uint8"), volume.grid, provenance)
    output.mkdir(parents=True)
    write_seg_nrrd(output / "segmentation.seg.nrrd", segmentation)
    (output / "report.json").write_text(json.dumps(report(volume, segmentation)), encoding="utf-8")
    say("progress", stage="Measuring", fraction=0.99, seconds_left=None)
    say("done", output=str(output), files=["segmentation.seg.nrrd", "report.json"])


def report(volume, segmentation):
    """The part of quantification.quantify that the panel reads, without loading scipy."""

    def numbers(lung):
        infected = lung & segmentation.infection
        return {
            "volume_ml": float(lung.sum() * volume.grid.voxel_ml),
            "infection_ml": float(infected.sum() * volume.grid.voxel_ml),
            "involvement_percent": float(100 * infected.sum() / lung.sum()),
            "mean_hu": float(volume.array[lung].mean()),
            "infection_mean_hu": float(volume.array[infected].mean()) if infected.any() else None,
        }

    masks = {"right": segmentation.lungs == 1, "left": segmentation.lungs == 2, "both": segmentation.lungs > 0}
    lesions = [{"lung": lung} for lung in ("right", "left") if (masks[lung] & segmentation.infection).any()]
    return {
        "lungs": {name: numbers(mask) for name, mask in masks.items()},
        "lesions": {"count": len(lesions), "list": lesions},
        "warnings": [],
        "provenance": segmentation.provenance,
    }


def warn(ct, output):
    """As done, with a warning."""
    say("warning", message="The slices are 10 mm thick; small lesions may be missed.")
    done(ct, output)


def garbage(ct, output):
    """As done, among other output, some of it no UTF-8 and some of it JSON that is no event."""
    sys.stdout.buffer.write(b'\xff\xfe\x00 not text\n[1, 2]\n{"event"\n\n')
    print("x" * 200_000, file=sys.stderr)
    say("progress", stage="Finding the lungs", fraction="soon")
    say("something new")
    done(ct, output)


def slow(ct, output):
    """Works until it is killed."""
    Path("half-written").write_text("x")
    for step in range(10_000):
        say("progress", stage="Finding the infection", fraction=0.4 + step / 100_000, seconds_left=72.0)
        time.sleep(0.05)


def tree(ct, output):
    """Starts another process, as the launcher PythonSlicer does, and works until killed."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    say("progress", stage=f"{os.getpid()} {child.pid}", fraction=0.1)
    child.wait()


def unusable(ct, output):
    """Refuses the input."""
    say("error", message="This is not a chest CT: no lungs were found. Select another volume.", exit_code=2)
    sys.exit(2)


def crash(ct, output):
    """A defect."""
    raise RuntimeError("index 3 is out of bounds")


def memory(ct, output):
    """Too large a CT."""
    raise MemoryError


def killed(ct, output):
    """As the kernel does when memory is short."""
    os.kill(os.getpid(), 9)


def broken(ct, output):
    """A package is damaged."""
    import a_package_that_is_missing  # noqa: F401


def nothing(ct, output):
    """Claims to be done without a result."""
    say("done", output=str(output), files=[])


def shifted(ct, output):
    """Its result does not lie on the CT."""
    import SimpleITK as sitk

    done(ct, output)
    path = str(output / "segmentation.seg.nrrd")
    image = sitk.ReadImage(path)
    image.SetOrigin([position + 5 for position in image.GetOrigin()])
    sitk.WriteImage(image, path)


if __name__ == "__main__":
    mode, command, input_path = sys.argv[1:4]
    assert command == "segment"
    globals()[mode](Path(input_path), Path(sys.argv[sys.argv.index("--output") + 1]))
