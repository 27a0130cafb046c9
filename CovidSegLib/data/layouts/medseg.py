"""MedSeg's segmentation dataset nr. 2: nine scans of Radiopaedia in `rp_im`, masks in `rp_lung_msk` and `rp_msk`.

Infection is ground-glass opacity or consolidation; pleural effusion is not. Each file is taken for a patient. They
are of the cases that COVID-19-CT-Seg's Radiopaedia half shows too, and no name tells which: do not train on the one and
measure on the other.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import BOTH_LUNGS, INFECTION, Entry, Layout
from ..files import partners

CTS, LUNGS, MASKS = "rp_im", "rp_lung_msk", "rp_msk"
#: Ground-glass opacity, consolidation, pleural effusion.
LABELS: dict[int, tuple[str, ...]] = {1: INFECTION, 2: INFECTION, 3: ()}


def find(folder: Path) -> list[Entry] | None:
    """The CTs with masks of infection, and of lungs where that folder is there."""
    if not ((folder / CTS).is_dir() and (folder / MASKS).is_dir()):
        return None
    labels = {MASKS: LABELS, **({LUNGS: BOTH_LUNGS} if (folder / LUNGS).is_dir() else {})}
    where = {"ct": (folder / CTS, ""), **{name: (folder / name, "") for name in labels}}
    return [Entry(f"medseg_{name}", f"medseg_{name}", files, labels) for name, files in partners(where).items()]


LAYOUT = Layout("medseg", f"{CTS}, {LUNGS}, {MASKS}", find)
