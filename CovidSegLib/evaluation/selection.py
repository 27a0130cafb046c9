"""Selection of the patients and whole scans of a data set that models are evaluated on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.case import Case
from ..data.dataset import DataSet, open_data
from ..data.entry import Entry
from ..data.patients import was_seen
from ..errors import InputError
from ..models import Model
from ..models.loading import recipe_of


@dataclass(frozen=True)
class SelectedData:
    """Patients and scans to evaluate on.

    Attributes:
        data: Their data set.
        patients: Patients with masks of the finding.
        scans: Whole scans of which only slices are labelled.
        slices: Patients of whom there are only single slices with masks of the finding.
        finding: What the models look for, "infection" or "tumour".
    """

    data: DataSet
    patients: tuple[str, ...]
    scans: tuple[str, ...]
    finding: str = "infection"
    slices: tuple[str, ...] = ()

    def cases(self) -> list[Case]:
        """Read all cases of the patients. Single slices are left out because they are not volumes."""
        if not self.patients:
            return []
        cases = self.data.cases(self.patients)
        return [case for case in cases if len(case.scan) > 1 and self.finding in case.masks]

    def single_slices(self) -> list[Case]:
        """Read the single slices."""
        return self.data.cases(self.slices) if self.slices else []

    def whole_scans(self) -> list[Entry]:
        """Return the whole scans."""
        return [self.data.whole_scan(name) for name in self.scans]


def select_data(
    folder: Path, models: Sequence[Model], names: Collection[str] | None, finding: str = "infection"
) -> SelectedData:
    """Select what to evaluate on, before any image is read.

    Args:
        folder: Data set in any layout.
        models: Models to evaluate.
        names: Patients and scans. None selects all scans, and the patients that none of the models was trained on.
        finding: What the models look for, "infection" or "tumour".

    Raises:
        InputError: The data set is missing or incomplete, does not contain a name, or there is nothing to evaluate on.
    """
    data = open_data(folder)
    entries = [entry for entry in data.masked if finding in entry.structures]
    patients = sorted({entry.patient for entry in entries if entry.slices != 1})
    slices = sorted({entry.patient for entry in entries} - set(patients))
    scans = data.whole_scans if finding == "infection" else ()
    if not (patients or scans or slices):
        raise InputError(f'"{folder}" has no masks of {finding} to evaluate on. Choose another data set.')
    if names is None:
        seen = {name for model in models for name in model.seen}
        unseen = [tuple(name for name in all_ if not was_seen(name, seen)) for all_ in (patients, slices)]
        selected = SelectedData(data, unseen[0], scans, finding, unseen[1])
    else:
        if unknown := sorted(set(names) - {*patients, *scans, *slices}):
            raise InputError(
                f'"{folder}" has no patient "{unknown[0]}" with masks of {finding}. Patients and scans: '
                f"{', '.join([*patients, *scans, *slices])}."
            )
        wanted = [tuple(name for name in all_ if name in names) for all_ in (patients, scans, slices)]
        selected = SelectedData(data, wanted[0], wanted[1], finding, wanted[2])
    if not (selected.patients or selected.scans or selected.slices):
        raise InputError("The models were trained on all patients of the data set. Name patients with --patients.")
    return selected


def finding_of(models: Sequence[Model]) -> str:
    """Return what all models look for, "infection" or "tumour".

    Raises:
        InputError: They look for different things.
    """
    findings = {recipe_of(model).infection.finding for model in models} or {"infection"}
    if len(findings) > 1:
        raise InputError("Some of the models find infection, others tumours. Evaluate them separately.")
    return findings.pop()
