"""The case that is open: its nodes, its reading, and what of it has not been saved yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import slicer

from CovidSegLib.cohorts.agreement import crop_grid
from CovidSegLib.cohorts.case_list import Entry
from CovidSegLib.cohorts.corrections import Correction
from CovidSegLib.cohorts.readings import Reading
from CovidSegLib.quantification.lesion_tracking import PROPOSED

from ..scene.lesions import REJECTED_SEGMENT, TAG, read_marks
from ..scene.results import result_to_show
from ..scene.review import Review, Reviews
from ..scene.segmentations import INFECTION, LUNGS
from ..scene.voxels import SMALLEST_BOX, join
from .clock import ReadingClock
from .saver import Job

#: Tag of the infection in the file of a reader that keeps the fields of the report.
REPORT_TAG = "CovidSeg.Reader"
#: Seconds of reading after which the time is saved, even if nothing else has changed.
SAVE_SECONDS = 30.0


@dataclass
class OpenCase:
    """A case that is open.

    Attributes:
        entry: The case.
        reading: What its reader has said about it.
        report_attribute: Attribute of a result with the fields of the report.
        clock: How long it has been read.
        ct_id: ID of the CT in the scene; empty until it was added.
        complete: Whether all of it was added to the scene.
        notes: Sentences about what could not be read.
    """

    entry: Entry
    reading: Reading
    report_attribute: str
    clock: ReadingClock = field(init=False)
    ct_id: str = ""
    complete: bool = False
    notes: tuple[str, ...] = ()
    _saved_masks: object = None
    _saved_words: object = None
    _saved_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.clock = ReadingClock(self.reading.seconds)
        self._saved_words = self._words()
        self._saved_seconds = self.reading.seconds

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT, or None if it is not in the scene."""
        return slicer.mrmlScene.GetNodeByID(self.ct_id) if self.ct_id else None

    @property
    def result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The result on the CT that the reader works with, or None."""
        return result_to_show(self.ct) if self.ct is not None else None

    def was_opened(self, reviews: Reviews) -> None:
        """Note that all of it is in the scene. Changes count from now on."""
        self.complete = True
        self._saved_masks = self._masks(reviews)

    def job(self, reviews: Reviews, *, leaving: bool = False) -> Job | None:
        """Return what has to be saved, or None if nothing has changed since the last call.

        Args:
            reviews: The masks of results.
            leaving: Whether the case is about to be closed. Then reading time is reason enough.
        """
        if not self.complete:
            return None
        masks, words = self._masks(reviews), self._words()
        seconds = self.clock.seconds - self._saved_seconds
        masks_changed = masks != self._saved_masks and masks is not None
        if not masks_changed and words == self._saved_words and seconds < (1e-3 if leaving else SAVE_SECONDS):
            return None
        self._saved_masks, self._saved_words, self._saved_seconds = masks, words, self.clock.seconds
        self.reading = replace(self.reading, seconds=self.clock.seconds)
        result = self.result
        build = self._builder(reviews.of(result)) if masks_changed and result is not None else None
        return Job(self.reading, build)

    def _words(self) -> object:
        return self.reading.grade, self.reading.comment, self.reading.reviewed

    def _masks(self, reviews: Reviews) -> object:
        """Return what changes with the masks, with a decision about a lesion and with a field of the report."""
        result = self.result
        if result is None:
            return None
        review = reviews.of(result)
        marks = read_marks(result)[1]
        return (
            result.GetID(),
            *(review.state_of(name) for name in (*LUNGS, INFECTION, REJECTED_SEGMENT)),
            # The first look at the lesions numbers them, which is not a decision.
            tuple((mark.number, mark.state) for mark in marks if mark.state != PROPOSED),
            result.GetAttribute(self.report_attribute),
        )

    def _builder(self, review: Review) -> Callable[[], Correction]:
        """Return what makes the content of the reader's file, in a thread. The masks are not changed any more."""
        contents = review.segmentation.GetSegmentation()
        masks = {name: review.mask(name) for name in (*LUNGS, INFECTION)}
        if contents.GetSegment(REJECTED_SEGMENT) is not None:
            masks[REJECTED_SEGMENT] = review.mask(REJECTED_SEGMENT)
        tags = {TAG: read_marks(review.segmentation)[0]}
        fields = review.segmentation.GetAttribute(self.report_attribute)
        # In the header of the file, a bar ends a tag.
        tags[REPORT_TAG] = json.dumps(fields).replace("|", "\\u007c") if fields else ""
        grid = review.grid
        box = join(*(mask.box for mask in masks.values() if mask)) or SMALLEST_BOX

        def build() -> Correction:
            shape = [part.stop - part.start for part in box]
            cut = {name: mask.crop(box) if mask else np.zeros(shape, bool) for name, mask in masks.items()}
            return Correction(cut, crop_grid(grid, box), {key: text for key, text in tags.items() if text})

        return build


def report_fields(tags: dict[str, str]) -> str:
    """Return the fields of the report that the tags of a correction keep, as they are stored in an attribute."""
    try:
        return str(json.loads(tags.get(REPORT_TAG) or '""'))
    except ValueError:
        return ""
