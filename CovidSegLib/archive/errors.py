"""Why an archive did not take or give objects."""

from __future__ import annotations

from ..errors import InputError


class ArchiveError(InputError):
    """An archive did not do what it was asked for. It may do so later: what was to be sent stays in the queue."""
