"""Files that were mishandled once: each is read right now, or refused with a sentence.

The files are in bad_inputs.tar.xz of the shared data. They were made from one CT by changing one thing.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

import CovidSegLib
from CovidSegLib.checks import check_volume
from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume

#: What the message must say, or None if the file is to be read.
CASES: dict[str, str | None] = {
    "dicom-deflated-cut": '"05.dcm" is damaged or incomplete',
    "dicom-intercept-nan-one": 'rescaling to HU in "05.dcm" .* cannot be right',
    "dicom-jpeg-premature-end": 'pixels of "05.dcm" are damaged',
    "dicom-modality-ansi": "data of another kind .* and no CT",
    "dicom-modality-missing": "without a stated modality",
    "dicom-monochrome1-all": None,
    "dicom-monochrome1-one": None,
    "dicom-name-not-utf8": None,
    "dicom-pixeldata-half-length": '"05.dcm" is damaged or incomplete',
    "dicom-rescaletype-HOUNSFIELD": None,
    "dicom-rescaletype-houndsfield-unit": None,
    "dicom-rows-64-of-128": '"00.dcm" is damaged or incomplete',
    "dicom-rows-of-1-byte": '"05.dcm" is damaged or incomplete',
    "dicom-sequences-nested-300": '"05.dcm" is damaged or incomplete',
    "dicom-seriesnumber-inf": '"05.dcm" is damaged or incomplete',
    "dicom-slicethickness-inf": None,
    "dicom-slicethickness-nan": None,
    "mha-name-not-utf8": None,
    "mha-no-elementspacing": "does not state the size of its voxels",
    "mha-offset-nan": "position or orientation .* is not a number",
    "mhd-format-n": "names a list or pattern",
    "mhd-format-string": "names a list or pattern",
    "mhd-list-too-short": "names a list or pattern",
    "mhd-outside-folder": "outside its own folder",
    "mhd-step-0": "names a list or pattern",
    "nifti-bitpix-0-int32": "unknown type",
    "nifti-datatype-0": "unknown type",
    "nifti-gz-named-nii": "compressed although its name",
    "nifti-name-not-utf8": None,
    "nifti-qform-sform-0": None,
    "nifti-sform-offset-nan": "position or orientation .* is not a number",
    "nifti-vox-offset-0": "begin inside the header",
    "nii-gz-with-empty-nii-beside": None,
    "nii-gz-with-other-nii-beside": None,
    "nrrd-100000-keys": "longer than any CT's",
    "nrrd-name-not-utf8": None,
    "nrrd-no-space-directions": "does not state the size of its voxels",
    "nrrd-space-directions-none": "does not state the size of its voxels",
}
#: Mean HU of the two CTs that the files were made from: 12 slices as DICOM, and 25 coarser ones as image files.
MEAN_HU = {(12, 128, 128): -608.32, (25, 64, 64): -551.65}


@pytest.fixture(scope="module")
def cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with one folder for each case."""
    folder = tmp_path_factory.mktemp("damaged")
    with tarfile.open(shared_data / "bad_inputs.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "cases"


def input_of(case: Path) -> Path:
    """The path that a user would give: a DICOM folder, or the file that other files lie beside."""
    if case.name.startswith("dicom"):
        return case
    files = sorted(case.iterdir())
    return next((path for path in files if path.suffix in (".gz", ".mhd")), files[0])


def test_every_case_is_listed(cases: Path) -> None:
    assert {path.name for path in cases.iterdir() if path.is_dir()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_it_is_read_right_or_refused(cases: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    words = CASES[name]
    if words is None:
        volume = read_volume(input_of(cases / name))
        check_volume(volume)
        assert volume.array.mean() == pytest.approx(MEAN_HU[volume.array.shape], abs=0.01)
    else:
        with pytest.raises(InputError, match=words) as caught:
            read_volume(input_of(cases / name))
        message = str(caught.value)
        assert message.endswith(".") and "\n" not in message and len(message) < 250
        assert all(character.isprintable() for character in message)
    assert capfd.readouterr() == ("", ""), "a library printed something"


@pytest.mark.parametrize("name", ["mhd-format-string", "mhd-step-0", "dicom-name-not-utf8", "nifti-name-not-utf8"])
def test_what_once_ended_the_process_does_not(cases: Path, name: str, tmp_path: Path) -> None:
    """Through the command line, since a crash of native code would end the tests."""
    script = "import sys; from CovidSegLib.cli.main import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["segment", str(input_of(cases / name)), "-o", str(tmp_path / "out"), "--model", "no such model"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=Path(CovidSegLib.__file__).parents[1], capture_output=True
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_file_without_orientation_gives_a_warning(cases: Path) -> None:
    volume = read_volume(cases / "nifti-qform-sform-0" / "ct.nii")
    assert any("Right and left may be swapped" in warning for warning in volume.warnings)


def test_inverted_display_does_not_change_the_values(cases: Path) -> None:
    """All three folders hold the same slices; MONOCHROME1 only asks a viewer to show low values bright."""
    arrays = [read_volume(cases / f"dicom-{name}").array for name in ("monochrome1-all", "monochrome1-one")]
    plain = read_volume(cases / "dicom-rescaletype-HOUNSFIELD").array
    for array in arrays:
        np.testing.assert_array_equal(array, plain)
