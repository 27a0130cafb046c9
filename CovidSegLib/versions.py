"""Versions of the software that can affect results."""

from __future__ import annotations

import platform
from importlib import metadata

import torch

from . import __version__

#: Packages that compute or resample voxels.
PACKAGES = ("monai", "SimpleITK", "numpy")


def package_versions() -> dict[str, str]:
    """Return the versions of CovidSeg, Python and the packages that results may depend on.

    Returns:
        Versions by name: "covidseg", "python", "torch", "monai", "SimpleITK", "numpy".
    """
    return {
        "covidseg": __version__,
        "python": platform.python_version(),
        # Includes the build (such as +cpu or +cu130), which can change the numbers and which the metadata may lack.
        "torch": str(torch.__version__),
        **{name: metadata.version(name) for name in PACKAGES},
    }
