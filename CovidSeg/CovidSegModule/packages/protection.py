"""Protect Slicer's Python while packages are installed into it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
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
    """Keep torch out of Slicer's process: PyTorchUtils imports it after installing, and gets a placeholder instead.

    There is a placeholder only if torch is installed. Otherwise the import fails, as it does without this function.
    """
    if "torch" in sys.modules:  # already loaded by another extension
        yield
        return
    finder = _PlaceholderFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if isinstance(sys.modules.get("torch"), _Placeholder):
            del sys.modules["torch"]


class _Placeholder(types.ModuleType):
    """Stands for torch."""

    __version__ = "installed"


class _PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a placeholder for torch."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != "torch":
            return None
        importlib.invalidate_caches()
        try:
            importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:
            raise ModuleNotFoundError("torch was not installed", name="torch") from None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass
