"""Which DICOM series a CT is, so that a reader of the report finds it in the archive. Without names of patients."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..printable import printable

#: Shorter parts of a name must be whole words of a description, because "Lu" is part of "Lung".
_SHORTEST_PART = 3
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Series:
    """A DICOM series.

    Attributes:
        number: Series Number; empty if there is none.
        description: Series Description; empty if there is none, or if it names the patient.
        uid: Series Instance UID.
    """

    number: str = ""
    description: str = ""
    uid: str = ""

    @property
    def title(self) -> str:
        """Number and description, such as "4: Thorax 2.0 B40f"; empty if there is neither."""
        return ": ".join(part for part in (self.number, self.description) if part)


def series_of(number: str, description: str, uid: str, identity: Iterable[str]) -> Series:
    """Return a series without the identity of the patient, which people type into descriptions.

    Args:
        number: Series Number.
        description: Series Description. It is left out if it has a part of `identity`.
        uid: Series Instance UID.
        identity: Values of the header that identify the patient: names, IDs, date of birth, accession number.

    >>> series_of("4", "Thorax 2.0 B40f", "1.2.3", ["Doe^Jane", "4711"]).title
    '4: Thorax 2.0 B40f'
    >>> series_of("4", "Thorax DOE", "1.2.3", ["Doe^Jane", "4711"]).title
    '4'
    """
    texts = [" ".join(printable(text).split()) for text in (number, description, uid)]
    if _names_one_of(texts[1], identity):
        texts[1] = ""
    return Series(*texts)


def _names_one_of(description: str, identity: Iterable[str]) -> bool:
    words = _WORD.findall(description.casefold())
    together = "".join(words)
    for text in identity:
        parts = _WORD.findall(text.casefold())
        for part in [*parts, *_dates(text)]:
            if part in words or (len(part) >= _SHORTEST_PART and part in together):
                return True
    return False


def _dates(text: str) -> tuple[str, ...]:
    """Return other ways to write a date in the format of DICOM, YYYYMMDD."""
    if not re.fullmatch(r"\d{8}", text.strip()):
        return ()
    year, month, day = text.strip()[:4], text.strip()[4:6], text.strip()[6:]
    return day + month + year, month + day + year, day + month + year[2:], month + day + year[2:]
