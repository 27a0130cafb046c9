"""The sentences and table cells of a report, which HTML and PDF share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .content import ReportContent
from .rows import Region, ReportLesion

#: Lesions on the first page. A longer list follows after the pictures.
FIRST_LESIONS = 10
NO_INFECTION = "No infection was found."
NO_VIEWS = "This computer could not draw the 3D views."
LEGEND = "Outlines: infection orange, right lung blue, left lung turquoise. Lung window."
CLASSES_NOTE = "The reader chooses the class. CovidSeg does not compute it."
MISSING_CHARACTERS = "The fonts of this PDF lack some characters. The report as HTML shows them."
NOT_REVIEWED = "Not compared with the masks of the model."
UNEDITED = "Nothing was edited: the masks are those of the model."


@dataclass(frozen=True)
class Table:
    """A table of texts. The first columns that hold text are aligned to the left, the others to the right.

    Attributes:
        head: Titles of the columns.
        rows: Cells.
        texts: Number of columns with text, from the left.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def headline(content: ReportContent) -> str:
    """Return the result in one line."""
    both = content.both
    if not both.infection_ml:
        return NO_INFECTION
    return f"Infection in {number(both.involvement_percent, 1)} % of the lungs"


def summary(content: ReportContent) -> str:
    """Return the volumes and the number of lesions in sentences."""
    both, right, left = content.both, *content.regions[:2]
    counted = len(content.lesions)
    sentences = [
        f"{number(both.infection_ml, 1)} ml of {number(both.volume_ml)} ml.",
        f"Right lung {number(right.involvement_percent, 1)} %, left lung {number(left.involvement_percent, 1)} %.",
        f"{counted} lesion{'' if counted == 1 else 's'} of at least {content.smallest_ml:g} ml.",
    ]
    if content.smaller and content.smaller[0]:
        count, ml = content.smaller
        sentences.append(f"{count} smaller area{'' if count == 1 else 's'}, {number(ml, 2)} ml together.")
    return " ".join(sentences)


def region_table(content: ReportContent) -> Table:
    """Return the table of lungs, and zones or lobes."""
    head = (
        "Region",
        "Volume ml",
        "Infection ml",
        "Involved %",
        "Mean HU",
        "Ground glass ml",
        "Consolidation ml",
        "Score",
    )
    return Table(head, tuple(_region_row(region) for region in content.regions))


def _region_row(region: Region) -> tuple[str, ...]:
    return (
        region.name.capitalize(),
        number(region.volume_ml),
        number(region.infection_ml, 1),
        number(region.involvement_percent, 1),
        number(region.mean_hu),
        number(region.ground_glass_ml, 1),
        number(region.consolidation_ml, 1),
        "" if region.name.endswith(("lung", "lungs")) else number(region.score),
    )


def severity_line(content: ReportContent) -> str:
    """Return the severity score."""
    severity = content.severity
    return f"{severity.name}: {number(severity.score)} of {severity.maximum}"


def lesion_table(lesions: Sequence[ReportLesion]) -> Table:
    """Return a table of lesions. The column with the decisions of the reader is left out if nobody has decided."""
    reviewed = any(lesion.state for lesion in lesions)
    head = ("No.", "Lung", "Zone", *(("State",) if reviewed else ()), "Volume ml", "Mean HU")
    rows = tuple(
        (
            str(lesion.number),
            lesion.side,
            lesion.zone or "–",
            *((lesion.state or "–",) if reviewed else ()),
            number(lesion.volume_ml, 1),
            number(lesion.mean_hu),
        )
        for lesion in lesions
    )
    return Table(head, rows, texts=4 if reviewed else 3)


def lesion_title(content: ReportContent) -> str:
    """Return the heading of the lesions on the first page."""
    if not content.lesions:
        return "Lesions: none"
    if len(content.lesions) > FIRST_LESIONS:
        return f"Lesions: the {FIRST_LESIONS} largest of {len(content.lesions)}. The whole list follows the pictures."
    return f"Lesions: {len(content.lesions)}"


def edit_sentences(content: ReportContent) -> list[str]:
    """Return what a person has changed."""
    edits = content.edits
    if edits is None:
        sentences = [NOT_REVIEWED]
    elif not edits.any:
        sentences = [UNEDITED]
    else:
        sentences = [
            f"{number(edits.added_ml, 1)} ml of infection added, {number(edits.removed_ml, 1)} ml removed. "
            f"Dice to the masks of the model {number(edits.dice, 3)}."
        ]
        if edits.lungs_changed_ml:
            sentences.append(f"The lungs differ in {number(edits.lungs_changed_ml, 1)} ml.")
    if content.rejected:
        total = sum(lesion.volume_ml for lesion in content.rejected)
        numbers = ", ".join(str(lesion.number) for lesion in content.rejected)
        sentences.append(f"Lesions rejected: {len(content.rejected)} ({number(total, 1)} ml; no. {numbers}).")
    return sentences


def number(value: float | None, decimals: int = 0) -> str:
    """Return a number with a typographic minus sign, and a dash for None.

    >>> number(-612.4), number(None), number(1234.5, 1)
    ('−612', '–', '1,234.5')
    """
    return "–" if value is None else f"{value:,.{decimals}f}".replace("-", "−")
