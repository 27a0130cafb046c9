"""Versions of the software on which results depend."""

from __future__ import annotations

import platform
from importlib import metadata

from . import __version__

#: Packages that process voxels.
PACKAGES = ("SimpleITK", "numpy", "scipy")


def package_versions(engine: str = "torch") -> dict[str, str]:
    """Return the versions of CovidSeg, Python and the packages on which results may depend.

    Args:
        engine: The engine that ran the networks, "torch" or "openvino".

    Returns:
        Versions by name: "covidseg", "python", "SimpleITK", "numpy", "scipy", and "torch" and "monai" or "openvino".
    """
    return {
        "covidseg": __version__,
        "python": platform.python_version(),
        **({"openvino": metadata.version("openvino")} if engine == "openvino" else _torch_versions()),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _torch_versions() -> dict[str, str]:
    import torch

    # Unlike the metadata, this always includes the build (such as +cpu or +cu130), on which results may depend.
    return {"torch": str(torch.__version__), "monai": metadata.version("monai")}
