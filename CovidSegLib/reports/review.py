"""What a person did with a result, and what the reader of a report states.

The panel in 3D Slicer passes it to `covidseg report` as a JSON file.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..printable import printable, printable_lines
from ..storage.limited import read_limited_json
from .series import Series

SCHEMA = "covidseg-review/1"
#: Classes that a reader can choose. Nothing here computes them.
CO_RADS = (
    "CO-RADS 0: not interpretable",
    "CO-RADS 1: very low suspicion",
    "CO-RADS 2: low suspicion",
    "CO-RADS 3: equivocal",
    "CO-RADS 4: high suspicion",
    "CO-RADS 5: very high suspicion",
    "CO-RADS 6: proven (RT-PCR)",
)
RSNA = ("Typical appearance", "Indeterminate appearance", "Atypical appearance", "Negative for pneumonia")
#: Longest text of a field, in characters.
LONGEST = 4000


@dataclass(frozen=True)
class Reader:
    """Fields that the reader of a report fills in. Empty ones are printed as blanks.

    Attributes:
        patient: What identifies the patient, only if the reader has typed it.
        impression: Free text, of several lines.
        co_rads: One of `CO_RADS`, or empty.
        rsna: One of `RSNA`, or empty.
        reviewed_by: Name of the reader.
        date: Date of the review.
    """

    patient: str = ""
    impression: str = ""
    co_rads: str = ""
    rsna: str = ""
    reviewed_by: str = ""
    date: str = ""


@dataclass(frozen=True)
class Edits:
    """How the masks differ from those of the model.

    Attributes:
        dice: Dice coefficient of the infection before and after, 1 for equal masks.
        added_ml: Volume of infection that was added.
        removed_ml: Volume of infection that was removed, rejected lesions included.
        lungs_changed_ml: Volume in which the lungs differ.
    """

    dice: float
    added_ml: float
    removed_ml: float
    lungs_changed_ml: float = 0.0

    @property
    def any(self) -> bool:
        """Whether a mask differs."""
        return bool(self.added_ml or self.removed_ml or self.lungs_changed_ml)


@dataclass(frozen=True)
class Review:
    """What a person did with a result.

    Attributes:
        reader: Fields that the reader has filled in.
        threshold: The probability at which the infection was cut, if it was changed.
        edits: How the masks differ from the model's, if that is known.
        lesions: The lesions with the reader's decisions, as `rows.ReportLesion` has them; None to find them anew.
        regions: Numbers of regions, as `rows.Region` has them; None to count them anew.
        severity: The severity score, as `quantification.severity.Severity` has it; None to compute it.
        series: The DICOM series of the CT, for CTs whose file does not tell; None if it is not known.
    """

    reader: Reader = field(default_factory=Reader)
    threshold: float | None = None
    edits: Edits | None = None
    lesions: Sequence[Mapping[str, Any]] | None = None
    regions: Sequence[Mapping[str, Any]] | None = None
    severity: Mapping[str, Any] | None = None
    series: Series | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the review as JSON values, for `read_review`."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}


def read_review(path: Path) -> Review:
    """Read a review.

    Raises:
        InputError: The file cannot be read, or is not a review.
    """
    try:
        return review_of(read_limited_json(path))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f'"{path.name}" is not a review that CovidSeg can read. Give the file of a review.') from error


def review_of(stored: Mapping[str, Any]) -> Review:
    """Return a review from JSON values. Keys that may be None may be missing.

    Raises:
        ValueError, TypeError, AttributeError: They are not those of a review.
    """
    if stored.get("schema") != SCHEMA:
        raise ValueError("unknown schema")
    edits = stored.get("edits")
    return Review(
        reader_of(stored.get("reader") or {}),
        _number(stored.get("threshold")),
        None if edits is None else Edits(**{name: _finite(value) for name, value in edits.items()}),
        stored.get("lesions"),
        stored.get("regions"),
        stored.get("severity"),
        _series(stored.get("series")),
    )


def reader_of(stored: Mapping[str, Any]) -> Reader:
    """Return the fields of a reader from JSON values. Missing ones are empty.

    Raises:
        ValueError, AttributeError: They are not those of a reader.
    """
    texts = {each.name: _text(stored.get(each.name), each.name) for each in dataclasses.fields(Reader)}
    if texts["co_rads"] not in ("", *CO_RADS) or texts["rsna"] not in ("", *RSNA):
        raise ValueError("unknown class")
    return Reader(**texts)


def _series(stored: Mapping[str, Any] | None) -> Series | None:
    if stored is None:
        return None
    return Series(**{each.name: _text(stored.get(each.name), each.name) for each in dataclasses.fields(Series)})


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f"{name} is not a text of at most {LONGEST} characters")
    return printable_lines(value).strip() if name == "impression" else printable(value).strip()


def _number(value: Any) -> float | None:
    return None if value is None else _finite(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number
