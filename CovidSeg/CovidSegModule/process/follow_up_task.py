"""A comparison from the panel: segment the earlier CT if that was not done, then compare."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .child_run import ChildRun
from .follow_up_run import FollowUpRun
from .run import Run

#: Share of the time for the segmentation, if it is needed.
SEGMENTATION_SHARE = 0.5


class FollowUpTask:
    """Two runs in turn, followed as if they were one. Call `poll` from a timer until `finished` is True.

    Args:
        segmentation: The run that segments the earlier CT, started; None if it has a result.
        start: Starts the comparison, given the new result of the earlier CT or None.

    Attributes:
        run: The run in progress, or the last one.
        prior_result: The new result of the earlier CT, or None. It stays in the scene if the comparison is cancelled.
    """

    def __init__(
        self,
        segmentation: Run | None,
        start: Callable[[slicer.vtkMRMLSegmentationNode | None], FollowUpRun],
    ):
        self._segmentation, self._start = segmentation, start
        self._warnings: list[str] = []
        self.prior_result: slicer.vtkMRMLSegmentationNode | None = None
        self.run: ChildRun = segmentation or start(None)

    @property
    def comparison(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The new comparison, or None."""
        return self.run.comparison if isinstance(self.run, FollowUpRun) else None

    @property
    def finished(self) -> bool:
        """True if nothing is left to do."""
        return self.run.finished and (
            isinstance(self.run, FollowUpRun) or self.run.error is not None or self._cancelled
        )

    @property
    def _cancelled(self) -> bool:
        return isinstance(self.run, Run) and self.run.finished and self.run.result is None

    @property
    def fraction(self) -> float:
        """Finished fraction of both runs."""
        if self._segmentation is None:
            return self.run.fraction
        if self.run is self._segmentation:
            return SEGMENTATION_SHARE * self.run.fraction
        return SEGMENTATION_SHARE + (1 - SEGMENTATION_SHARE) * self.run.fraction

    @property
    def warnings(self) -> list[str]:
        """Warnings of both runs."""
        return list(dict.fromkeys([*self._warnings, *self.run.warnings]))

    def poll(self) -> None:
        """Do the next small step."""
        self.run.poll()
        if isinstance(self.run, Run) and self.run.result is not None:
            self._warnings = self.run.warnings
            self.prior_result = self.run.result.segmentation
            # It lies on the earlier CT, which the views do not show.
            self.prior_result.GetDisplayNode().SetVisibility(False)
            self.run = self._start(self.prior_result)

    def cancel(self) -> None:
        """Stop the run in progress."""
        self.run.cancel()
