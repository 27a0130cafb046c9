"""Finding out which Python packages are missing, and installing them."""

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

from CovidSegModule.packages import installer as installer_module
from CovidSegModule.packages.installer import InstallError, SlicerInstaller, question

ALL = {
    "openvino": "2026.4.1",
    "scikit-image": "0.25",
    "safetensors": "0.6",
    "highdicom": "0.28",
    "jinja2": "3.1.6",
    "fpdf2": "2.8.9",
    "uharfbuzz": "0.57",
    "torch": "2.9.0",
    "monai": "1.5.1",
}
WITHOUT_TORCH = list(ALL)[:-2]


@pytest.fixture(autouse=True)
def graphics_card(monkeypatch):
    """PyTorch is needed, unless a test says otherwise."""
    monkeypatch.setattr(installer_module.SlicerInstaller.__init__, "__defaults__", (lambda: None, lambda: True))


@pytest.fixture
def site(monkeypatch):
    """A Python with only the packages in `versions`. pip and PyTorchUtils are replaced and record their calls.

    `problems` is what trying out the packages reports.
    """
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
        versions.update({str(item).partition(">")[0]: ALL[str(item).partition(">")[0]] for item in requirements})
        calls.append(("pip_ensure", list(requirements), options, settings()))

    def pip_install(requirements):
        names = [item.partition(">")[0] for item in requirements if not item.startswith("-")]
        versions.update({name: ALL[name] for name in names})
        calls.append(("pip_install", list(requirements), {}, settings()))

    class PyTorchUtilsLogic:
        def installTorch(self, **options):
            # light-the-torch exits with code 0 without a network too.
            if not site.offline:
                versions["torch"] = "2.9.0"
            import torch  # PyTorchUtils does this after installing, without catching anything

            calls.append(("torch", torch.__version__, options, settings()))
            return torch

        def uninstallTorch(self):
            calls.append(("uninstall torch",))

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    monkeypatch.setitem(sys.modules, "slicer.packaging", SimpleNamespace(pip_ensure=pip_ensure))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(installer_module, "network_problem", lambda: "The internet cannot be reached.")
    site = SimpleNamespace(versions=versions, calls=calls, problems={}, offline=False)
    monkeypatch.setattr(installer_module, "import_problems", lambda modules, idle: site.problems)
    return site


def test_missing_packages_are_found_without_importing(site):
    assert SlicerInstaller().missing() == list(ALL)
    site.versions.update(ALL, **{"torch": "2.9.0+cu128", "scikit-image": "0.20"})
    assert SlicerInstaller().missing() == ["scikit-image"]
    assert "torch" not in sys.modules


def test_installing(site):
    SlicerInstaller().install()
    (torch, _, torch_options, torch_settings), (pip, packages, options, settings) = site.calls
    assert torch == "torch"
    assert torch_options == {"askConfirmation": False, "torchVersionRequirement": ">=2.5"}
    assert pip == "pip_ensure"
    assert [str(item).partition(">")[0] for item in packages] == [*WITHOUT_TORCH, "monai"]
    assert options == {"prompt_install": False, "requester": "CovidSeg"}
    for pip_settings in (torch_settings, settings):
        assert pip_settings["only_binary"] == ":all:"
        assert {"SimpleITK==2.5.3", "numpy==2.4.1"} <= set(pip_settings["constraints"])
    assert "torch==2.9.0" in settings["constraints"], "pip may replace the torch of the PyTorch extension"
    assert not any(line.startswith("torch") for line in torch_settings["constraints"])
    assert "PIP_CONSTRAINT" not in os.environ
    assert "torch" not in sys.modules, "PyTorchUtils has loaded torch into Slicer's process"


def test_without_a_graphics_card_pytorch_is_not_installed(site, monkeypatch):
    """Nor is the PyTorch extension asked for."""
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    installer = SlicerInstaller(needs_torch=lambda: False)
    installer.install()
    assert [str(item).partition(">")[0] for item in site.calls[0][1]] == WITHOUT_TORCH
    assert len(site.calls) == 1 and installer.missing() == []
    text = question(WITHOUT_TORCH)
    assert "About 146 MB" in text


def test_an_installed_torch_is_kept(site):
    site.versions["torch"] = "2.9.0+cu128"
    SlicerInstaller().install()
    ((_, _, _, settings),) = site.calls
    assert "torch==2.9.0+cu128" in settings["constraints"]


def test_installing_in_slicer_5_10(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    SlicerInstaller().install()
    assert site.calls[1][0] == "pip_install"
    assert len(site.calls[1][1]) == len(ALL) - 1


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


def test_torch_without_a_network(site):
    """Neither PyTorchUtils nor light-the-torch reports that nothing was installed."""
    site.offline = True
    with pytest.raises(InstallError, match="could not be installed: torch") as caught:
        SlicerInstaller().install()
    assert "do not work" not in str(caught.value)
    assert "torch" not in sys.modules
    assert all(type(finder).__name__ != "_PlaceholderFinder" for finder in sys.meta_path)


def test_pip_that_installs_nothing(site, monkeypatch):
    monkeypatch.setattr(sys.modules["slicer.packaging"], "pip_ensure", lambda *_, **__: None)
    names = ", ".join([*WITHOUT_TORCH, "monai"])
    with pytest.raises(InstallError, match=f"could not be installed: {names}"):
        SlicerInstaller().install()


def test_a_full_disk_is_noticed_before_anything_is_downloaded(site, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10**8))
    with pytest.raises(InstallError, match="too little space"):
        SlicerInstaller().install()
    assert site.calls == []
    assert "too little space" in question(["torch"])


def test_a_damaged_package_is_reinstalled(site):
    site.versions.update(ALL)
    installer = SlicerInstaller()
    site.problems = {"skimage": "ImportError", "torch": "OSError"}
    assert installer.find_broken() == ["scikit-image", "torch"]
    assert installer.missing() == ["scikit-image", "torch"]
    site.problems = {}
    installer.install()
    assert [call[0] for call in site.calls] == ["uninstall torch", "torch", "pip_install"]
    assert site.calls[2][1] == ["--force-reinstall", "--no-deps", "scikit-image>=0.24"]
    assert not any(line.startswith("torch==") for line in site.calls[1][3]["constraints"])
    assert installer.missing() == []


def test_a_damaged_torch_in_use_needs_a_restart(site, monkeypatch):
    site.versions.update({"torch": "2.9.0"})
    installer = SlicerInstaller()
    site.problems = {"torch": "OSError"}
    installer.find_broken()
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    with pytest.raises(InstallError, match="Restart"):
        installer.install()
    assert site.calls == []


def test_installed_packages_are_tried_out(site):
    site.problems = {"monai": "ImportError: DLL load failed"}
    with pytest.raises(InstallError, match="monai"):
        SlicerInstaller().install()


@pytest.mark.parametrize(
    ("missing", "nvidia", "size"),
    [
        (["torch", "monai"], True, "About 3 GB"),
        (["torch"], False, "About 400 MB"),
        (["safetensors"], True, "About 1 MB"),
    ],
)
def test_the_question_states_packages_size_and_place(monkeypatch, missing, nvidia, size):
    monkeypatch.setattr("shutil.which", lambda name: "nvidia-smi" if nvidia else None)
    text = question(missing)
    assert ", ".join(missing) in text
    assert size in text
    assert "site-packages" in text or "dist-packages" in text
    assert "are free" in text
