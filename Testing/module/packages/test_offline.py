"""Installing from a folder of wheels, with the real pip."""

import zipfile

import pytest
from packaging.requirements import Requirement

from CovidSegModule.packages.offline import install_from_folder, wheels_in


@pytest.fixture
def folder(tmp_path):
    """A folder with one wheel."""
    folder = tmp_path / "Räder"
    folder.mkdir()
    name = "covidseg_test_wheel-1.0"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("covidseg_test_wheel.py", "")
        info = f"{name}.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: covidseg-test-wheel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return folder


def test_wheels_of_the_folder_are_installed(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "site"))
    assert wheels_in(folder) == ["covidseg_test_wheel-1.0-py3-none-any.whl"]
    assert install_from_folder([Requirement("covidseg-test-wheel>=1")], folder, lambda: None) == ""
    assert (tmp_path / "site" / "covidseg_test_wheel.py").is_file()


def test_what_the_folder_lacks_is_not_downloaded(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "site"))
    output = install_from_folder([Requirement("safetensors")], folder, lambda: None)
    assert "safetensors" in output
    assert not (tmp_path / "site").exists()


def test_cancel_kills_pip(folder):
    def idle():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        install_from_folder([Requirement("covidseg-test-wheel")], folder, idle)
