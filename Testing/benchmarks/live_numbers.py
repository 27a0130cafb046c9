"""Measure what follows an edit in Slicer on 512 x 512 x 300 voxels: slider, numbers, comparison, lesions, surfaces.

    python Testing/benchmarks/live_numbers.py [--slices 300] [--size 512]

Needs slicer-core and PySide6, as the tests of the module do. The scene is real; the CT and the masks are synthetic.
The targets are 0.2 s for the slider, 0.5 s for all numbers and lesions after an edit, and 0.3 s for one piece of
everything else, during which Slicer does not respond.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]


def make_masks(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lungs (0, 1, 2), HU, and probability 0 to 255, with lesions that cover about a tenth of the lungs."""
    random = np.random.default_rng(0)
    z, y, x = (
        np.linspace(-1, 1, size).reshape([-1 if axis == index else 1 for index in range(3)])
        for axis, size in enumerate(shape)
    )
    lungs = np.zeros(shape, np.uint8)
    lungs[((x + 0.36) / 0.30) ** 2 + (y / 0.52) ** 2 + (z / 0.88) ** 2 < 1] = 1
    lungs[((x - 0.36) / 0.30) ** 2 + (y / 0.52) ** 2 + (z / 0.88) ** 2 < 1] = 2
    noise = ndimage.zoom(random.standard_normal([max(4, size // 16) for size in shape]), 16, order=1)
    noise = np.pad(noise, [(0, max(0, size - have)) for size, have in zip(shape, noise.shape, strict=True)])
    noise = noise[: shape[0], : shape[1], : shape[2]]
    probability = np.clip(128 + 400 * (noise - 0.8), 0, 255).astype(np.uint8)
    probability[lungs == 0] = 0
    hu = np.where(lungs > 0, -850, 40).astype(np.int16)
    hu[probability > 100] = -500
    return lungs, hu + random.integers(-40, 40, shape, dtype=np.int16), probability


#: The clock. `--cpu` replaces it.
clock = time.perf_counter


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    start = clock()
    action()
    return clock() - start


def report(name: str, times: list[float], target: float | None = None) -> None:
    """Print the median and the longest time."""
    note = f"   target {target} s" if target else ""
    print(f"  {name:<44} {statistics.median(times):6.3f} s   longest {max(times):6.3f} s{note}")


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cpu", action="store_true", help="measure processor time, for a busy computer")
    options = parser.parse_args()
    global clock
    clock = time.process_time if options.cpu else time.perf_counter
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [str(ROOT), str(ROOT / "CovidSeg"), str(ROOT / "Testing" / "module")]
    from stand_ins import application

    application.start()
    import slicer

    from CovidSegLib.thresholding import SMALLEST_INFECTION_ML, level_of, without_small_pieces
    from CovidSegModule.logic.comparison import ComparisonLogic
    from CovidSegModule.logic.lesions import LesionsLogic
    from CovidSegModule.logic.numbers import NumbersLogic
    from CovidSegModule.logic.threshold import ThresholdLogic
    from CovidSegModule.scene.review import Reviews, add_original, add_probability
    from CovidSegModule.scene.voxels import BoxArray, cropped, join, set_segment_voxels, whole

    shape = (options.slices, options.size, options.size)
    lungs, hu, probability = make_masks(shape)
    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    slicer.util.updateVolumeFromArray(ct, hu)
    ct.SetSpacing(0.7, 0.7, 1.0)
    infection = without_small_pieces(probability >= level_of(0.5), 0.00049, SMALLEST_INFECTION_ML)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.CreateDefaultDisplayNodes()
    for name, mask in (("right_lung", lungs == 1), ("left_lung", lungs == 2), ("infection", infection)):
        set_segment_voxels(node, name, BoxArray(mask, whole(shape)), ct)
    add_original(node, ct)
    add_probability(node, ct, cropped(probability))
    reviews = Reviews()
    review = reviews.of(node)
    numbers, threshold, comparison = NumbersLogic(reviews), ThresholdLogic(reviews), ComparisonLogic(reviews)
    lesions = LesionsLogic(reviews).of(node)
    ml, share = infection.sum() * review.grid.voxel_ml, 100 * infection.sum() / (lungs > 0).sum()
    print(f"{shape[2]} x {shape[1]} x {shape[0]}, infection {ml:.0f} ml, {share:.0f} %")

    def pieces(prepare: Callable[[], object]) -> list[float]:
        times = []
        more: object = True
        while more:
            start = clock()
            more = prepare()
            times.append(clock() - start)
        return times

    def surface_pieces() -> list[float]:
        steps = review.surfaces.steps()
        return pieces(lambda: next(steps, "end") != "end")

    print("once for each result, in pieces while the user does nothing")
    counting = pieces(lambda: numbers.prepare(node))
    report(f"first count, {sum(counting):.2f} s in all: one piece", counting, 0.3)
    following = pieces(lesions.prepare)
    report(f"numbering {len(lesions.lesions())} lesions, {sum(following):.2f} s in all: one piece", following, 0.3)
    start = clock()
    threshold.threshold(node)
    threshold.prepare(node)
    first = clock() - start
    cutting = pieces(lambda: threshold.prepare(node))
    report(f"slider and doubtful places, {first + sum(cutting):.2f} s in all: one piece", [first, *cutting], 0.3)
    node.CreateClosedSurfaceRepresentation()
    print("each time")
    cuts, counts, compares = [], [], []
    for percent in (45, 30, 20, 25, 60, 80, 50):
        cuts.append(seconds(lambda percent=percent: threshold.cut(node, percent / 100)))
        counts.append(seconds(lambda: numbers.write_nodes(node, numbers.numbers(node))))
        compares.append(seconds(lambda: comparison.compare(node)))
    report("slider: cut the infection anew", cuts, 0.2)
    report("all numbers after the slider", counts, 0.5)
    report("comparison with the model after the slider", compares, 0.5)
    following = pieces(lesions.prepare)
    report(f"lesions after the slider, {sum(following):.2f} s in all: one piece", following, 0.3)
    making = surface_pieces()
    report(f"surface after the slider, {sum(making):.2f} s in all: one piece", making, 0.3)

    box = join(*(review.mask(name).box for name in ("right_lung", "left_lung", "infection")))
    sections = {
        "all numbers": lambda: numbers.write_nodes(node, numbers.numbers(node)),
        "comparison": lambda: comparison.compare(node),
        "edits by hand for the slider": lambda: threshold.threshold(node),
        "lesions": lesions.lesions,
    }
    edits = {name: [] for name in ("everything", *sections)}
    for index in range(5):
        mask = review.mask("infection").crop(box).copy()
        corner = [int(size * (0.35 + 0.05 * index)) for size in mask.shape]
        mask[tuple(slice(start, start + 30) for start in corner)] = index % 2 == 0
        review.write_infection(BoxArray(mask, box), undo=False)
        for name, action in sections.items():
            edits[name].append(seconds(action))
        edits["everything"].append(sum(edits[name][-1] for name in sections))
    for name, times in edits.items():
        report(f"{name} after an edit of 27000 voxels", times, 0.5)
    lung = review.mask("left_lung").crop(box).copy()
    lung[lung.shape[0] // 2] = False
    review.write("left_lung", BoxArray(lung, box), undo=False)
    report("all numbers after an edit of a lung", [seconds(sections["all numbers"])], 0.5)
    report("saving the state for undo", [seconds(review.save_state)])
    steps = numbers.lesion_steps(node)
    counting = pieces(lambda: next(steps, None))
    report(f"number of lesions, {sum(counting):.2f} s in all: one piece", counting, 0.3)
    making = surface_pieces()
    report(f"surfaces after the edits, {sum(making):.2f} s in all: one piece", making, 0.3)
    report("next doubtful place", [seconds(lambda: threshold.places(node))], 0.3)
    stroke = stroke_of(reviews, review)
    report("a stroke of the brush, without surface", [seconds(stroke) for _ in range(3)])
    print("  (Slicer's own work. With a surface on the segment, each stroke also makes that surface anew.)")


def stroke_of(reviews: Any, review: Any) -> Callable[[], object]:
    """Return a function that paints with Slicer's brush, as while the tools of the panel are open."""
    import slicer
    from stand_ins.editor_effects import Effect

    from CovidSegModule.logic.correction import CorrectionLogic

    review.surfaces.take_off()
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(slicer.mrmlScene)
    rules = CorrectionLogic(reviews)
    editor = rules.editor_node()
    logic.SetSegmentEditorNode(editor)
    editor.SetActiveEffectName("Paint")
    rules.select(editor, review)
    effect = Effect("Paint", logic)
    mask = np.zeros(review.hu().shape, np.uint8)
    mask[tuple(slice(size // 2, size // 2 + 20) for size in mask.shape)] = 1
    return lambda: effect.modify(mask)


if __name__ == "__main__":
    main()
