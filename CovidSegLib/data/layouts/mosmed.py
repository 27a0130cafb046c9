"""MosMedData: `studies/CT-*/study_XXXX.nii.gz`, and `masks/study_XXXX_mask.nii.gz` for about fifty of them.

Studies without a mask are left out, and lungs are not annotated. Each study is a patient.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import ONE_INFECTION, Entry, Layout
from ..files import find_images


def find(folder: Path) -> list[Entry] | None:
    """Return the studies with masks."""
    studies = folder / "studies"
    if not (studies.is_dir() and (folder / "masks").is_dir()):
        return None
    cts = {name: path for grade in sorted(studies.iterdir()) for name, path in find_images(grade).items()}
    return [
        Entry(
            name,
            name,
            {"ct": cts.get(name, studies / f"{name}.nii.gz"), "infection": mask},
            {"infection": ONE_INFECTION},
        )
        for name, mask in find_images(folder / "masks", "_mask").items()
    ]


LAYOUT = Layout("mosmed", "studies/*/study_XXXX; masks/study_XXXX_mask", find)
