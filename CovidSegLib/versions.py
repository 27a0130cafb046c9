"""Versions of the software on which results depend."""

from __future__ import annotations

import platform
from importlib import metadata

import torch

from . import __version__

#: Packages that process voxels.
PACKAGES = ("monai", "SimpleITK", "numpy")


def package_versions() -> dict[str, str]:
    """Return the versions of CovidSeg, Python and the packages on which results may depend.

    Returns:
        Versions by name: "covidseg", "python", "torch", "monai", "SimpleITK", "numpy".
    """
    return {
        "covidseg": __version__,
        "python": platform.python_version(),
        # Unlike the metadata, this always includes the build (such as +cpu or +cu130), on which results may depend.
        "torch": str(torch.__version__),
        **{name: metadata.version(name) for name in PACKAGES},
    }
