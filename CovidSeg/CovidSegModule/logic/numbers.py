"""Logic of the section "numbers": all numbers of a result, always those of its present masks."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from CovidSegLib.masks import Box, components_in_steps
from CovidSegLib.quantification.density import INFECTION_RANGES, HuRange
from CovidSegLib.quantification.lesions import is_lesion
from CovidSegLib.quantification.live import Counts, LiveCounts
from CovidSegLib.quantification.numbers import Numbers, numbers_of

from ..scene import number_nodes, tables
from ..scene.lobes import lobe_labels, lobes_key
from ..scene.review import Review, Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.voxels import SMALLEST_BOX, BoxArray, join

#: Bounds of ground glass and consolidation in HU: lowest, common, highest.
Bounds = tuple[int, int, int]
DEFAULT_BOUNDS: Bounds = (
    INFECTION_RANGES["ground_glass"].low,
    INFECTION_RANGES["ground_glass"].high,
    INFECTION_RANGES["consolidation"].high,
)

_DONE = object()


@dataclass
class _State:
    """What has been counted of one result."""

    review: Review
    ct: slicer.vtkMRMLScalarVolumeNode
    live: LiveCounts
    box: Box
    version: int = -1
    lung_masks: list[BoxArray | None] | None = None
    lungs: np.ndarray | None = None
    lobes: np.ndarray | None = None
    lobes_key: tuple[int, ...] = ()
    counts: Counts | None = None
    work: Iterator[None] | None = None
    work_version: int = -1


class NumbersLogic:
    """Compute the numbers of results, and write them to nodes, to files and as text.

    Args:
        reviews: The results of the scene.
    """

    def __init__(self, reviews: Reviews):
        self._reviews = reviews
        self._state: _State | None = None

    def numbers(self, segmentation: slicer.vtkMRMLSegmentationNode, bounds: Bounds = DEFAULT_BOUNDS) -> Numbers | None:
        """Return the numbers of a result. Only what an edit has changed is counted.

        Args:
            segmentation: The result.
            bounds: Bounds of ground glass and consolidation.

        Returns:
            The numbers, or None if the CT is no longer in the scene or has no lungs.
        """
        state = self._follow(self._reviews.of(segmentation))
        if state is None or state.counts is None:
            return None
        ranges = {"ground_glass": HuRange(bounds[0], bounds[1]), "consolidation": HuRange(bounds[1], bounds[2])}
        return numbers_of(state.counts, lobes=state.lobes is not None, infection_ranges=ranges)

    def is_available(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if the CT of a result is in the scene."""
        return self._reviews.of(segmentation).ct is not None

    def is_ready(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Return True if `numbers` takes less than half a second: if the result was counted completely once."""
        state = self._state_of(self._reviews.of(segmentation))
        return state is not None and (state.counts is not None or _is_current(state))

    def prepare(self, segmentation: slicer.vtkMRMLSegmentationNode) -> bool:
        """Do a piece of the counting, some hundredths of a second. Return True if there is more to do.

        Only the first count of a result takes longer than that. `numbers` does whatever is left at once.
        """
        state = self._state_of(self._reviews.of(segmentation))
        if state is None or _is_current(state):
            return False
        if state.work is None or state.work_version != state.review.version:
            state.work, state.work_version = _count(state), state.review.version
        return next(state.work, _DONE) is not _DONE

    def masks(self, segmentation: slicer.vtkMRMLSegmentationNode) -> tuple[Box, np.ndarray] | None:
        """Return the lungs (uint8, 1 right, 2 left) in the box in which everything is counted; None without a CT."""
        state = self._follow(self._reviews.of(segmentation))
        return (state.box, state.lungs) if state and state.lungs is not None else None

    def write_nodes(
        self, segmentation: slicer.vtkMRMLSegmentationNode, numbers: Numbers
    ) -> slicer.vtkMRMLPlotChartNode | None:
        """Write the numbers to the nodes of the result: the table by region, the histogram and its chart.

        Returns:
            The chart, or None if the CT is no longer in the scene.
        """
        ct = self._reviews.of(segmentation).ct
        if ct is None:
            return None
        number_nodes.write_region_table(numbers, segmentation, ct)
        return number_nodes.write_histogram(numbers.histogram, segmentation, ct)

    def update_rows(
        self, segmentation: slicer.vtkMRMLSegmentationNode, lesions: tuple[int, int, int] | None = None
    ) -> None:
        """Write the numbers of both lungs to the table that `tables` describes.

        Args:
            segmentation: The result.
            lesions: Number of lesions from `lesion_steps`; None if it is not known yet.
        """
        table, numbers = tables.table_of(segmentation), self.numbers(segmentation)
        if table is None or numbers is None:
            return
        rows = [
            tables.Row(
                name,
                region.volume_ml,
                region.infection_ml,
                region.involvement_percent,
                region.mean_hu,
                region.infection_mean_hu,
                lesions=number,
            )
            for name, region, number in zip(tables.REGIONS.values(), numbers.lungs, lesions or (None,) * 3, strict=True)
        ]
        tables.write_rows(table, rows)

    def lesion_steps(self, segmentation: slicer.vtkMRMLSegmentationNode) -> Generator[bool, None, tuple[int, int, int]]:
        """Count the lesions in the right lung, in the left lung and in both, as the report does, in short steps."""
        review = self._reviews.of(segmentation)
        infection, lungs = review.mask(INFECTION), self.masks(segmentation)
        if infection is None or lungs is None:
            return 0, 0, 0
        sides = BoxArray(lungs[1], lungs[0]).crop(infection.box)
        counts = []
        for side in (1, 2):
            yield True
            _, _, voxels = yield from components_in_steps(infection.array & (sides == side))
            counts.append(int(is_lesion(voxels[1:] * review.grid.voxel_ml).sum()))
        return counts[0], counts[1], sum(counts)

    def as_csv(self, numbers: Numbers, delimiter: str = ",") -> str:
        """Return the table by region, with the severity below it, as text for a file or for the clipboard."""
        titles, rows = number_nodes.region_table(numbers)
        output = io.StringIO()
        writer = csv.writer(output, delimiter=delimiter, lineterminator="\n")
        writer.writerow(titles)
        for row in rows:
            writer.writerow(
                ["" if value is None else value if isinstance(value, str) else round(value, 3) for value in row]
            )
        severity = numbers.severity
        writer.writerow([])
        writer.writerow([severity.name, "" if severity.score is None else severity.score, f"of {severity.maximum}"])
        writer.writerow([severity.definition])
        writer.writerow([severity.source])
        return output.getvalue()

    def write_csv(self, path: Path, numbers: Numbers) -> None:
        """Write the table by region to a file. The byte-order mark lets spreadsheets read it as UTF-8."""
        path.write_text(self.as_csv(numbers), encoding="utf-8-sig")

    def forget(self) -> None:
        """Forget what was counted, for example because the scene is being closed."""
        self._state = None

    def _follow(self, review: Review) -> _State | None:
        """Count what has changed in a result since the last call."""
        state = self._state_of(review)
        if state is not None and not _is_current(state):
            for _ in _count(state):
                pass
        return state

    def _state_of(self, review: Review) -> _State | None:
        ct, state = review.ct, self._state
        if ct is None or ct.GetImageData() is None:
            return None
        if state is None or state.review is not review or state.ct is not ct:
            state = self._state = _State(review, ct, LiveCounts(review.hu(), review.grid), SMALLEST_BOX)
        return state


def _is_current(state: _State) -> bool:
    return state.version == state.review.version and state.lobes_key == lobes_key()


def _count(state: _State) -> Iterator[None]:
    """Count what has changed in a result, in steps."""
    review, version, key = state.review, state.review.version, lobes_key()
    lung_masks = []
    for name in LUNGS:
        lung_masks.append(review.mask(name))
        yield
    infection = review.mask(INFECTION)
    yield
    box = join(*(mask.box for mask in (*lung_masks, infection) if mask))
    box = join(box, state.box if state.counts else None)
    if box is None:
        state.counts, state.version, state.lobes_key = None, version, key
        return
    if box != state.box or key != state.lobes_key:
        state.lobes = lobe_labels(state.ct, box)
        yield
    if box != state.box or state.lungs is None or lung_masks != state.lung_masks:
        state.lungs = _lungs(lung_masks, box)
        yield
    state.box, state.lung_masks, state.lobes_key = box, lung_masks, key
    infected = infection.crop(box) if infection else np.zeros(state.lungs.shape, bool)
    yield from state.live.steps(box, state.lungs, infected, state.lobes)
    state.counts = state.live.counts
    state.version = version


def _lungs(masks: list[BoxArray | None], box: Box) -> np.ndarray:
    lungs = np.zeros([part.stop - part.start for part in box], np.uint8)
    for label, mask in enumerate(masks, start=1):
        if mask is not None:
            lungs[mask.crop(box)] = label
    return lungs
