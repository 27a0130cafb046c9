"""Lists of scans: a text file with a path on each line, or a CSV file with a column `input`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ...storage.limited import read_limited_text

ENDINGS = (".txt", ".csv")
#: Columns with a meaning. All others are kept with the case.
INPUT, ID, SERIES = "input", "id", "series"


@dataclass(frozen=True)
class Row:
    """A row of a list.

    Attributes:
        where: File and line, for messages.
        path: The scan, or a folder of scans.
        id: Id of the case, or None.
        series: DICOM series by its number or the end of its UID, or None.
        extra: Further columns by name.
    """

    where: str
    path: Path
    id: str | None = None
    series: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def read_rows(file: Path) -> list[Row]:
    """Read a list. Relative paths are relative to its folder.

    Raises:
        InputError: It cannot be read, is empty, or has no column `input`.
    """
    try:
        text = read_limited_text(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f'The list "{file.name}" cannot be read ({reason}). Save it as UTF-8 text.') from error
    rows = _csv_rows(text, file) if file.suffix.lower() == ".csv" else _text_rows(text, file)
    if not rows:
        raise InputError(f'The list "{file.name}" names no scans. Write one path on each line.')
    return rows


def _text_rows(text: str, file: Path) -> list[Row]:
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return [
        Row(f'line {number} of "{file.name}"', file.parent / line)
        for number, line in lines
        if line and not line.startswith("#")
    ]


def _csv_rows(text: str, file: Path) -> list[Row]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)  # spreadsheets write semicolons where the comma is decimal
    table = csv.DictReader(io.StringIO(text), delimiter=delimiter, restkey="", restval="")
    names = [(name or "").strip() for name in table.fieldnames or []]
    if INPUT not in names or len(set(names)) < len(names):
        raise InputError(
            f'The list "{file.name}" needs a column "{INPUT}" with the paths of the scans, and each column once. Its '
            f"columns: {', '.join(names) or 'none'}."
        )
    table.fieldnames = names
    rows = []
    for values in table:
        cells = {name: str(value or "").strip() for name, value in values.items() if name}
        where = f'line {table.line_num} of "{file.name}"'
        if not any(cells.values()):
            continue
        if not cells[INPUT]:
            raise InputError(f'There is no path in {where}. Fill in the column "{INPUT}".')
        known = {name: cells.pop(name, "") or None for name in (ID, SERIES)}
        path = file.parent / cells.pop(INPUT)
        rows.append(Row(where, path, known[ID], known[SERIES], cells))
    return rows
