"""MedSeg's segmentation dataset nr. 2: nine scans of Radiopaedia in `rp_im`, masks in `rp_lung_msk` and `rp_msk`.

Ground-glass opacity and consolidation are infection; pleural effusion is not. Each file counts as a patient. They show
cases that are also in the Radiopaedia half of COVID-19-CT-Seg, and no name tells which: do not train on one of the two
and evaluate on the other.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import BOTH_LUNGS, INFECTION, Entry, Layout
from ..files import match_files

CTS, LUNGS, MASKS = "rp_im", "rp_lung_msk", "rp_msk"
#: Ground-glass opacity, consolidation, pleural effusion.
LABELS: dict[int, tuple[str, ...]] = {1: INFECTION, 2: INFECTION, 3: ()}


def find(folder: Path) -> list[Entry] | None:
    """Return the CTs with masks of infection, and of lungs if that folder exists."""
    if not ((folder / CTS).is_dir() and (folder / MASKS).is_dir()):
        return None
    labels = {MASKS: LABELS, **({LUNGS: BOTH_LUNGS} if (folder / LUNGS).is_dir() else {})}
    locations = {"ct": (folder / CTS, ""), **{name: (folder / name, "") for name in labels}}
    return [Entry(f"medseg_{name}", f"medseg_{name}", files, labels) for name, files in match_files(locations).items()]


LAYOUT = Layout("medseg", f"{CTS}, {LUNGS}, {MASKS}", find)
