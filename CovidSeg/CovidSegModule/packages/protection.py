"""Protect Slicer's Python while packages are installed into it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

#: Packages that come with Slicer or with another extension. Their installed versions are kept.
PINNED = ("numpy", "scipy", "SimpleITK", "vtk", "requests", "pydicom", "pillow", "torch", "torchvision")


@contextlib.contextmanager
def pip_settings(replaceable: tuple[str, ...] = ()) -> Iterator[None]:
    """Make pip install wheels only and keep the installed versions of the packages in `PINNED`.

    The settings are environment variables, so they hold for every pip that is started within the block.

    Args:
        replaceable: Packages that may be replaced although they are in `PINNED`.
    """
    with tempfile.TemporaryDirectory(prefix="CovidSeg-") as folder:
        constraints = Path(folder) / "constraints.txt"
        pins = []
        for name in set(PINNED).difference(replaceable):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                pins.append(f"{name}=={importlib.metadata.version(name)}\n")
        constraints.write_text("".join(pins), encoding="utf-8")
        # A URL, because pip splits the value of this variable at spaces.
        settings = {"PIP_ONLY_BINARY": ":all:", "PIP_CONSTRAINT": constraints.as_uri(), "PIP_NO_INPUT": "1"}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def torch_kept_out() -> Iterator[None]:
    """Keep torch out of Slicer's process: PyTorchUtils imports it after installing, and gets a placeholder instead."""
    if "torch" in sys.modules:  # already loaded by another extension
        yield
        return
    placeholder = types.ModuleType("torch")
    vars(placeholder)["__version__"] = "installed"
    sys.modules["torch"] = placeholder
    try:
        yield
    finally:
        if sys.modules.get("torch") is placeholder:
            del sys.modules["torch"]
