"""Send objects to an archive by DICOMweb (STOW-RS, PS3.18, section 10.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pydicom
from pydicom.uid import UID

from .errors import ArchiveError
from .files import Outgoing
from .web import WebArchive, explained


@dataclass(frozen=True)
class StowDestination:
    """An archive that stores objects by DICOMweb.

    Attributes:
        archive: The archive.
    """

    archive: WebArchive

    def __str__(self) -> str:
        return str(self.archive)

    def send(self, files: Sequence[Outgoing], sent: Callable[[Outgoing], None]) -> None:
        """Send files, one in each request, which limits the memory that is needed.

        Args:
            files: The files.
            sent: Called for each file that the archive has stored.

        Raises:
            ArchiveError: The archive does not answer, refuses, or goes away. Files for which `sent` was called are
                stored.
            InputError: The address is not valid, or the password is missing.
        """
        client = self.archive.client()
        for file in files:
            with explained(self.archive):
                answer = client.store_instances([pydicom.dcmread(file.path)])
            failed = answer.get("FailedSOPSequence")
            if failed:
                reason = failed[0].get("FailureReason")
                code = f" (reason {reason:04X})" if reason is not None else ""
                raise ArchiveError(f'"{self}" did not store an object of the kind {UID(file.sop_class).name}{code}.')
            sent(file)
