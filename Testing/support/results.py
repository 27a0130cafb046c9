"""Results of a small segmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from CovidSegLib.outputs import write_results

from .grids import chest

VOLUME, SEGMENTATION = chest()


def contents(folder: Path) -> dict[str, bytes | None]:
    """Content of all files below a folder by relative path; None for folders."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def write(out: Path, **options: Any) -> list[Path]:
    """Write all results to a folder."""
    return write_results(out, VOLUME, SEGMENTATION, **options)
