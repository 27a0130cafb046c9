"""Identifiers by which the same lung, zone or lesion is found again in other objects and in later examinations."""

from __future__ import annotations

import uuid
from typing import NamedTuple

#: Namespace of the identifiers, itself a UUID that was drawn once.
NAMESPACE = uuid.UUID("6f7c2f0e-2f0a-4d55-9a0c-8d1b5a0f7c11")


class Tracking(NamedTuple):
    """Tracking Identifier and Tracking Unique Identifier of a region (PS3.16, TID 1501).

    Attributes:
        identifier: For people, such as "Lesion 3".
        uid: For programs.
    """

    identifier: str
    uid: str


def stable_uid(*parts: object) -> str:
    """Return a UID that depends on the parts only, derived from a name-based UUID (PS3.5, section B.2).

    >>> stable_uid("1.2.3", "Lesion 1") == stable_uid("1.2.3", "Lesion 1") != stable_uid("1.2.3", "Lesion 2")
    True
    """
    return f"2.25.{uuid.uuid5(NAMESPACE, chr(0).join(map(str, parts))).int}"


def new_uid() -> str:
    """Return a UID that was never used before, derived from a random UUID (PS3.5, section B.2)."""
    return f"2.25.{uuid.uuid4().int}"
