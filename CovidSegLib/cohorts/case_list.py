"""Read a list of cases from a CSV file, also from other tools. Columns are recognised by their titles."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..reading.image_file import image_extension
from ..storage.limited import read_limited
from .case_masks import MaskFiles

#: Titles of columns, in small letters with `_` for everything but letters and digits. The first that there is counts.
IMAGE = (
    *("image", "ct", "scan", "volume", "img", "input", "image_path", "image_file", "ct_path", "ct_file", "file"),
    *("filename", "file_name", "path", "filepath", "file_path", "nifti", "dicom", "folder", "series"),
)
MASKS = ("masks", "mask", "segmentation", "seg", "labels", "label", "result", "output", "mask_path", "label_path")
INFECTION = ("infection", "infection_mask", "lesion", "lesions", "lesion_mask", "covid", "infection_path")
LUNGS = ("lungs", "lung", "lung_mask", "lungs_mask", "lungmask", "lung_path")
IDENTIFIER = ("id", "case", "case_id", "name", "study", "study_id", "scan_id", "subject", "patient", "patient_id")
INVOLVEMENT = ("involvement_percent", "both_involvement_percent", "involvement", "involved", "infection_percent")
FAILURE = ("sentence", "failure", "error", "problem")
#: Bytes of the largest list, and rows in which a column of images is looked for.
LARGEST_LIST, ROWS_TO_TRY = 200_000_000, 20


@dataclass(frozen=True)
class Entry:
    """A case of a worklist.

    Attributes:
        case_id: Its name in the list.
        ct: The CT: a file or a DICOM folder.
        masks: Its masks; false if it has none.
        series: UID of the DICOM series in the folder, or None.
        involvement_percent: Infected share of the lungs, or None if it is not known.
        failure: Why it cannot be read, in a sentence; empty if it can.
    """

    case_id: str
    ct: Path
    masks: MaskFiles = field(default_factory=MaskFiles)
    series: str | None = None
    involvement_percent: float | None = None
    failure: str = ""


def read_case_list(path: Path) -> list[Entry]:
    """Read the cases of a CSV file. The file is not changed.

    One column names the CT of each case: by its title, see `IMAGE`, or else the column in which there are names of
    existing files. Further columns may name masks, lungs, infection, the case, its involvement and a failure. Paths
    are absolute, or relative to the folder of the list. Fields are separated by commas, semicolons or tabs.

    Raises:
        InputError: The file cannot be read, has no cases, or no column with images.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "list.csv"
        >>> _ = path.write_text("Case,CT,Mask\\nA,a.nii.gz,a_seg.nii.gz\\nB,b.nii.gz,\\n")
        >>> [(entry.case_id, entry.ct.name, bool(entry.masks)) for entry in read_case_list(path)]
        [('A', 'a.nii.gz', True), ('B', 'b.nii.gz', False)]
    """
    titles, rows = _read_rows(path)
    if not rows:
        raise InputError(f'"{path.name}" lists no cases. Give a CSV file with a line of titles and a line for each CT.')
    columns = {_plain(title): position for position, title in reversed(list(enumerate(titles)))}
    image = _find(columns, IMAGE)
    if image is None:
        image = _column_of_files(rows, path.parent)
    if image is None:
        raise InputError(
            f'No column of "{path.name}" names the CTs. Call the column "image", and give paths that are absolute or '
            "relative to the folder of the list."
        )
    # The title "infection" may be that of a volume in ml.
    places = {name: _find(columns, names) for name, names in _OPTIONAL.items()}
    for name in ("masks", "infection", "lungs"):
        place = places[name]
        if place is not None and not any(_is_path(row[place]) for row in rows):
            places[name] = None
    entries = []
    for row in rows:
        fields = {name: row[place].strip() if place is not None else "" for name, place in places.items()}
        entries.append(_entry(row[image].strip(), fields, path.parent))
    return with_unique_names(entries)


_OPTIONAL = {
    "masks": MASKS,
    "infection": INFECTION,
    "lungs": LUNGS,
    "id": IDENTIFIER,
    "involvement": INVOLVEMENT,
    "failure": FAILURE,
}


def with_unique_names(entries: Iterable[Entry]) -> list[Entry]:
    """Return the cases with unique names, regardless of case."""
    taken: set[str] = set()
    unique = []
    for entry in entries:
        name, number = entry.case_id, 1
        while name.casefold() in taken:
            number += 1
            name = f"{entry.case_id} ({number})"
        taken.add(name.casefold())
        unique.append(Entry(name, *(getattr(entry, field) for field in _FIELDS)))
    return unique


_FIELDS = ("ct", "masks", "series", "involvement_percent", "failure")


def _entry(image: str, fields: dict[str, str], folder: Path) -> Entry:
    failure = fields["failure"]
    if not image and not failure:
        failure = "The list names no CT for this case. Add it to the list."
    files = {name: folder / fields[name] if fields[name] else None for name in ("masks", "infection", "lungs")}
    return Entry(
        case_id=fields["id"] or _stem(image) or "?",
        ct=folder / image,
        masks=MaskFiles(**files),
        involvement_percent=_number(fields["involvement"]),
        failure=failure,
    )


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        content = read_limited(path, LARGEST_LIST)
    except OSError as error:
        raise InputError(f'"{path.name}" cannot be read ({error.strerror or error}). Choose another list.') from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # as spreadsheets on Windows write it
        text = content.decode("latin-1")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(line)]
    except csv.Error as error:
        raise InputError(f'"{path.name}" is not a CSV file ({error}). Save the list as CSV again.') from error
    if not lines:
        return [], []
    width = max(map(len, lines))
    titles, *rows = ([*line, *[""] * (width - len(line))] for line in lines)
    return titles, rows


def _find(columns: dict[str, int], names: Sequence[str]) -> int | None:
    return next((columns[name] for name in names if name in columns), None)


def _column_of_files(rows: list[list[str]], folder: Path) -> int | None:
    """Return the column in whose first rows the most images or folders exist, or None."""
    counts = [
        sum(bool(row[place].strip()) and _exists(folder / row[place].strip()) for row in rows[:ROWS_TO_TRY])
        for place in range(len(rows[0]))
    ]
    return counts.index(max(counts)) if any(counts) else None


def _exists(path: Path) -> bool:
    try:
        return path.is_dir() or (path.is_file() and image_extension(path) is not None)
    except (OSError, ValueError):  # not a path
        return False


def _is_path(text: str) -> bool:
    """Return whether a field may name a file: it holds something that is not a number."""
    return bool(text.strip()) and _number(text) is None


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.strip().lower()).strip("_")


def _stem(image: str) -> str:
    path = Path(image)
    return path.name.removesuffix(image_extension(path) or "") if image_extension(path) else path.name


def _number(text: str) -> float | None:
    try:
        return float(text.strip().rstrip("%").replace(",", "."))
    except ValueError:
        return None
