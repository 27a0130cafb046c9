"""Which Python packages are missing, how they are installed, and what is said when that fails."""

import importlib.metadata
import os
import sys
import types
from pathlib import Path
from subprocess import CalledProcessError
from types import SimpleNamespace
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
import slicer

from CovidSegModule import install
from CovidSegModule.install import InstallError, SlicerInstaller

ALL = {"torch": "2.9.0", "monai": "1.5.1", "scikit-image": "0.25", "safetensors": "0.6"}


@pytest.fixture
def site(monkeypatch):
    """A Python in which only `versions` are installed; pip and PyTorchUtils note what they are asked to do."""
    versions = {"numpy": "2.4.1", "SimpleITK": "2.5.3"}
    calls = []

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    def settings():
        constraints = Path(url2pathname(urlparse(os.environ["PIP_CONSTRAINT"]).path)).read_text()
        return {"only_binary": os.environ["PIP_ONLY_BINARY"], "constraints": constraints.splitlines()}

    def pip_ensure(requirements, **options):
        calls.append(("pip_ensure", list(requirements), options, settings()))

    def pip_install(requirements):
        calls.append(("pip_install", list(requirements), {}, settings()))

    class PyTorchUtilsLogic:
        def installTorch(self, **options):
            import torch  # as PyTorchUtils does when it is done

            calls.append(("torch", torch.__version__, options, settings()))
            return torch

        def uninstallTorch(self):
            calls.append(("uninstall torch",))

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    monkeypatch.setitem(sys.modules, "slicer.packaging", SimpleNamespace(pip_ensure=pip_ensure))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(install, "try_out", lambda modules, idle: {})
    return SimpleNamespace(versions=versions, calls=calls)


def test_what_is_missing_is_seen_without_importing(site):
    assert SlicerInstaller().missing() == ["torch", "monai", "scikit-image", "safetensors"]
    site.versions.update(ALL, **{"torch": "2.9.0+cu128", "scikit-image": "0.20"})
    assert SlicerInstaller().missing() == ["scikit-image"]
    assert "torch" not in sys.modules


def test_installing(site):
    SlicerInstaller().install()
    (torch, _, torch_options, torch_settings), (pip, packages, options, settings) = site.calls
    assert torch == "torch"
    assert torch_options == {"askConfirmation": False, "torchVersionRequirement": ">=2.5"}
    assert pip == "pip_ensure"
    assert [str(item).partition(">")[0] for item in packages] == ["monai", "scikit-image", "safetensors"]
    assert options == {"prompt_install": False, "requester": "CovidSeg"}
    for pip_settings in (torch_settings, settings):
        assert pip_settings["only_binary"] == ":all:"
        assert sorted(pip_settings["constraints"]) == ["SimpleITK==2.5.3", "numpy==2.4.1"]
    assert "PIP_CONSTRAINT" not in os.environ
    assert "torch" not in sys.modules, "PyTorchUtils has brought torch into Slicer's process"


def test_a_torch_that_is_there_is_kept(site):
    site.versions["torch"] = "2.9.0+cu128"
    SlicerInstaller().install()
    ((_, _, _, settings),) = site.calls
    assert "torch==2.9.0+cu128" in settings["constraints"]


def test_installing_in_slicer_5_10(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    SlicerInstaller().install()
    assert site.calls[1][0] == "pip_install"
    assert len(site.calls[1][1]) == 3


def test_without_the_pytorch_extension(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(InstallError, match="Extensions Manager"):
        SlicerInstaller().install()
    assert site.calls == []


def test_offline(site, monkeypatch):
    def fail(*_, **__):
        raise CalledProcessError(1, "pip install")

    monkeypatch.setattr(sys.modules["slicer.packaging"], "pip_ensure", fail)
    with pytest.raises(InstallError, match="internet"):
        SlicerInstaller().install()
    assert "PIP_CONSTRAINT" not in os.environ


def test_a_damaged_package_is_installed_anew(site, monkeypatch):
    site.versions.update(ALL)
    installer = SlicerInstaller()
    monkeypatch.setattr(install, "try_out", lambda modules, idle: {"skimage": "ImportError", "torch": "OSError"})
    assert installer.find_broken() == ["scikit-image", "torch"]
    assert installer.missing() == ["torch", "scikit-image"]
    monkeypatch.setattr(install, "try_out", lambda modules, idle: {})
    installer.install()
    assert [call[0] for call in site.calls] == ["uninstall torch", "torch", "pip_install"]
    assert site.calls[2][1] == ["--force-reinstall", "--no-deps", "scikit-image>=0.24"]
    assert not any(line.startswith("torch==") for line in site.calls[1][3]["constraints"])
    assert installer.missing() == []


def test_a_damaged_torch_in_use_needs_a_restart(site, monkeypatch):
    site.versions.update({"torch": "2.9.0"})
    installer = SlicerInstaller()
    monkeypatch.setattr(install, "try_out", lambda modules, idle: {"torch": "OSError"})
    installer.find_broken()
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    with pytest.raises(InstallError, match="Restart"):
        installer.install()
    assert site.calls == []


def test_what_was_installed_is_tried_out(site, monkeypatch):
    monkeypatch.setattr(install, "try_out", lambda modules, idle: {"monai": "ImportError: DLL load failed"})
    with pytest.raises(InstallError, match="monai"):
        SlicerInstaller().install()


def test_trying_out_in_a_child_process(clean, tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("raise OSError('[WinError 126] module not found')")
    (tmp_path / "brings_it_down.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    waited = []
    problems = install.try_out(["json", "half_installed", "not_there", "brings_it_down"], lambda: waited.append(1))
    assert waited
    assert list(problems) == ["half_installed", "not_there", "brings_it_down"]
    assert "WinError 126" in problems["half_installed"]
    assert "exit code 3" in problems["brings_it_down"]
    assert "half_installed" not in sys.modules


def test_the_question_says_what_it_costs():
    text = install.question(["torch", "monai"])
    assert "torch, monai" in text
    assert "3 GB" in text
