"""A fake child process that reports and writes like CovidSegLib, but without a network.

Usage: `python fake_child.py MODE segment CT --output FOLDER ...`. The modes are the names of the functions below. The
mode "done" segments exactly the voxels that `harness.painted` has marked.

`python fake_child.py done follow-up CURRENT PRIOR ...` compares two CTs as CovidSegLib does, except that it takes the
lungs to lie where they are.

`python fake_child.py done dicom export ...` and `python fake_child.py done report ...` are the real commands, except
that the report has no 3D views.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def emit(event, **fields):
    """Print an event as one line of JSON."""
    print(json.dumps({"event": event, **fields}), flush=True)


def done(ct, output):
    """Segment and report like the real child process."""
    import SimpleITK as sitk

    from CovidSegLib.outputs.seg_nrrd import write_seg_nrrd
    from CovidSegLib.outputs.writing import write_image
    from CovidSegLib.segmentation import Segmentation
    from CovidSegLib.volume import Volume

    emit("progress", stage="Finding the lungs", fraction=0.31, seconds_left=14.2)
    volume = Volume.of_image(sitk.ReadImage(str(ct)))
    infection = volume.array == -500
    lungs = (volume.array == -850) * 1 + (volume.array == -851) * 2 + infection * 1
    provenance = {"model": {"name": "fake", "sha256": "ab" * 32}, "versions": {"covidseg": "1.2.3"}}
    lungs = lungs.astype("uint8")
    segmentation = Segmentation(lungs, infection, probability_of(infection, lungs), volume.grid, provenance)
    output.mkdir(parents=True)
    probability = volume.grid.to_image(segmentation.probability)
    write_image(output / "infection_probability.nii.gz", probability)
    write_seg_nrrd(output / "segmentation.seg.nrrd", segmentation)
    (output / "report.json").write_text(json.dumps(report(volume, segmentation)), encoding="utf-8")
    for name, mask in segmentation.segments.items():
        write_mask_surface(output / f"{name}.vtp", mask, volume.grid)
    emit("progress", stage="Measuring", fraction=0.99, seconds_left=None)
    emit("done", output=str(output), files=["segmentation.seg.nrrd", "report.json"])


def probability_of(infection, lungs):
    """Return the probability of infection, 0 to 255: 200 in the infection, 100 and 60 in the two layers around it."""
    probability = infection.astype("uint8") * 200
    inside = infection
    for value in (100, 60):
        grown = inside.copy()
        for axis in range(3):
            for step in (-1, 1):
                grown |= np.roll(inside, step, axis)
        probability[grown & ~inside & (lungs > 0)] = value
        inside = grown
    return probability


def write_mask_surface(path, mask, grid):
    """Write the surface of a mask. Unlike `CovidSegLib.surfaces`, this does not load scipy."""
    import numpy as np
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    from CovidSegLib.outputs.writing import write_surface

    if not mask.any():
        return
    padded = np.pad(mask.astype(np.uint8), 1)
    image = vtkImageData()
    image.SetDimensions(*reversed(padded.shape))
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel()))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.5)
    contour.Update()
    surface = contour.GetOutput()
    points = vtk_to_numpy(surface.GetPoints().GetData())
    points[:] = (points - 1) @ grid.affine_lps[:3, :3].T + grid.affine_lps[:3, 3]
    write_surface(path, surface)


def report(volume, segmentation):
    """Return the part of the report that the panel reads. Unlike `quantify`, this does not load scipy."""

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
    """Like `done`, with a warning."""
    emit("warning", message="The slices are 10 mm thick; small lesions may be missed.")
    done(ct, output)


def garbage(ct, output):
    """Like `done`, with other output in between: invalid UTF-8, and JSON that is not an event."""
    sys.stdout.buffer.write(b'\xff\xfe\x00 not text\n[1, 2]\n{"event"\n\n')
    print("x" * 200_000, file=sys.stderr)
    emit("progress", stage="Finding the lungs", fraction="soon")
    emit("unknown")
    done(ct, output)


def slow(ct, output):
    """Work until killed."""
    Path("half-written").write_text("x")
    for step in range(10_000):
        emit("progress", stage="Finding the infection", fraction=0.4 + step / 100_000, seconds_left=72.0)
        time.sleep(0.05)


def tree(ct, output):
    """Start another process, as the launcher PythonSlicer does, and work until killed."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    emit("progress", stage=f"{os.getpid()} {child.pid}", fraction=0.1)
    child.wait()


def unusable(ct, output):
    """Refuse the input."""
    emit("error", message="This is not a chest CT: no lungs were found. Select another volume.", exit_code=2)
    sys.exit(2)


def gpu_memory(ct, output):
    """Fail because the GPU has too little memory."""
    emit("error", message="The GPU has too little free memory.", exit_code=2, kind="gpu_memory")
    sys.exit(2)


def crash(ct, output):
    """Fail because of a programming error."""
    raise RuntimeError("index 3 is out of bounds")


def memory(ct, output):
    """Fail because the CT does not fit into memory."""
    raise MemoryError


def killed(ct, output):
    """End like a process that the operating system kills when memory runs out."""
    os.kill(os.getpid(), 9)


def broken(ct, output):
    """Fail because a package is missing."""
    import a_package_that_is_missing  # noqa: F401


def nothing(ct, output):
    """Report success without writing a result."""
    emit("done", output=str(output), files=[])


def shifted(ct, output):
    """Write a result that does not lie on the grid of the CT."""
    import SimpleITK as sitk

    done(ct, output)
    path = str(output / "segmentation.seg.nrrd")
    image = sitk.ReadImage(path)
    image.SetOrigin([position + 5 for position in image.GetOrigin()])
    sitk.WriteImage(image, path, useCompression=True)


def skip_registration(set_attribute=setattr):
    """Let comparisons take the lungs to lie where they are."""
    import SimpleITK as sitk

    from CovidSegLib.followup import Registration, comparison

    def register_lungs(*_arguments):
        return Registration(sitk.Transform(), 0.97, 0.9)

    set_attribute(comparison, "register_lungs", register_lungs)


if __name__ == "__main__":
    mode, command, input_path = sys.argv[1:4]
    if command == "report" and mode == "done":
        from CovidSegLib.figures.rendering import Rendering

        Rendering._start = lambda _self: None
    if command in ("dicom", "follow-up", "report") and mode == "done":
        from CovidSegLib.cli.main import main

        skip_registration()
        sys.exit(main(sys.argv[2:]))
    globals()[mode](Path(input_path), Path(sys.argv[sys.argv.index("--output") + 1]))
