"""Reading of image files: valid ones, and every known kind of invalid one."""

import gzip
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dicom_factory import write_series
from support.random_cts import corners, noise, oblique_grids

from CovidSegLib.checks import check_volume
from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume
from CovidSegLib.volume import Grid, Volume

GRID = Grid((12, 16, 20), (0.7, 0.8, 2.5), (-10.0, -20.0, -30.0))
ENDINGS = [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"]


def write(path: Path, array: np.ndarray | None = None, grid: Grid = GRID, compress: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(grid.to_image(noise() if array is None else array), str(path), compress)
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=oblique_grids(), ending=st.sampled_from(ENDINGS), seed=st.integers(0, 9), compress=st.booleans())
def test_any_grid_comes_back(tmp_path: Path, grid: Grid, ending: str, seed: int, compress: bool) -> None:
    folder = tmp_path / "files"
    shutil.rmtree(folder, ignore_errors=True)
    array = noise(grid.shape, seed)
    volume = read_volume(write(folder / f"ct{ending}", array, grid, compress))
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, array)
    assert np.abs(corners(volume.grid) - corners(grid)).max() < 1e-4
    assert volume.grid.shape == grid.shape


@pytest.mark.parametrize("ending", [*ENDINGS, ".NII.GZ", ".NRRD", ".MHA"])
def test_every_kind_of_file_is_read_without_warnings(tmp_path: Path, capfd: pytest.CaptureFixture, ending: str) -> None:
    path = write(tmp_path / f"ct{ending.lower()}").rename(tmp_path / f"ct{ending}")
    volume = read_volume(path)
    assert np.array_equal(volume.array, noise())
    assert volume.source["format"] in ("NIfTI", "NRRD", "MetaImage")
    assert volume.warnings == check_volume(volume) == ()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["患者 Ünïcode Пациент", "/".join(["a very long name of a folder " * 4] * 4)])
@pytest.mark.parametrize("ending", [*ENDINGS, ""])
def test_paths_may_be_long_and_contain_any_letters(tmp_path: Path, name: str, ending: str) -> None:
    folder = tmp_path / name
    if ending:
        path = write(folder / f"Grün ß{ending}")
    else:
        path = folder
        write_series(folder, noise(), name="Ärzte {}")
    assert len(str(path)) > 260 or not name.startswith("a")
    assert np.array_equal(read_volume(path).array, noise())


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type_become_int16(tmp_path: Path, kind: type) -> None:
    array = read_volume(write(tmp_path / "ct.nrrd", noise().astype(kind))).array
    assert array.dtype == np.int16
    assert np.array_equal(array, noise())


def test_fractions_stay_float32_and_values_below_air_are_raised(tmp_path: Path) -> None:
    values = noise().astype(np.float64) + 0.25
    values[:, 0] = -3024
    array = read_volume(write(tmp_path / "ct.mha", values)).array
    assert array.dtype == np.float32
    assert (array[:, 0] == -1024).all()
    assert np.array_equal(array[:, 1:], np.maximum(values[:, 1:], -1024))


def test_nifti_scaling_is_applied(tmp_path: Path) -> None:
    path = write(tmp_path / "ct.nii", noise() + 1024)
    patch(path, 112, "<2f", 1, -1024)
    assert np.array_equal(read_volume(path).array, noise())


def test_a_fourth_axis_of_length_one_is_ignored(tmp_path: Path) -> None:
    image = sitk.JoinSeries([GRID.to_image(noise())])
    sitk.WriteImage(image, str(tmp_path / "ct.nii"))
    patch(tmp_path / "ct.nii", 40, "<h", 4)
    assert np.array_equal(read_volume(tmp_path / "ct.nii").array, noise())


# Windows for images that lost their Hounsfield units.


def test_a_window_converts_grey_values_to_hounsfield_units(tmp_path: Path) -> None:
    grey = (np.arange(12 * 16 * 20) % 256).astype(np.uint8).reshape(12, 16, 20)
    path = write(tmp_path / "grey.nii.gz", grey)
    with pytest.raises(InputError, match="grey values"):
        check_volume(read_volume(path))
    array = read_volume(path, window=(-1000, 530)).array  # 6 HU a step
    assert array.dtype == np.int16
    assert np.array_equal(array, grey.astype(int) * 6 - 1000)
    array = read_volume(path, window=(-1000, 400)).array
    assert array.dtype == np.float32
    assert np.allclose(array, grey * (1400 / 255) - 1000, atol=1e-3)
    scaled = write(tmp_path / "scaled.nrrd", grey.astype(np.float32) / 255)
    assert np.allclose(read_volume(scaled, window=(-1000, 400)).array, array, atol=1e-3)


@pytest.mark.parametrize(
    ("array", "window", "words"),
    [
        (noise(), (-1000, 400), "contains values from -1024 to 399, which are not 8-bit grey values"),
        (noise() + 1024, (-1000, 400), "not 8-bit grey values"),
        (noise() % 3, (-1000, 400), "is a segmentation"),
        (noise() % 256, (400, -1000), "400 to -1000 is not valid"),
        (noise() % 256, (-1000, float("nan")), "is not valid"),
        (noise().astype(np.float32) * np.nan, (-1000, 400), "not 8-bit grey values"),
    ],
)
def test_unusable_windows_are_rejected(tmp_path: Path, array: np.ndarray, window: tuple, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_volume(write(tmp_path / "ct.nrrd", array), window=window)


def test_a_window_is_rejected_for_a_dicom_series_with_hounsfield_units(tmp_path: Path) -> None:
    write_series(tmp_path, noise())
    with pytest.raises(InputError, match="Omit the window"):
        read_volume(tmp_path, window=(-1000, 400))


# Unusable input: how to create it, and the expected message.

Maker = Callable[[Path], Path]


def patch(path: Path, offset: int, layout: str, *values: float) -> Path:
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, offset, *values)
    path.write_bytes(data)
    return path


def patched(offset: int, layout: str, *values: float) -> Maker:
    """A NIfTI file with changed numbers in its header."""
    return lambda folder: patch(write(folder / "ct.nii"), offset, layout, *values)


def replaced(name: str, old: bytes, new: bytes) -> Maker:
    def make(folder: Path) -> Path:
        path = write(folder / name, grid=Grid(GRID.shape))
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new, 1))
        return path

    return make


def cut(name: str, part: float | int, compress: bool = False) -> Maker:
    """A file cut to a fraction of its length, or (negative number) without its last bytes."""

    def make(folder: Path) -> Path:
        path = write(folder / name, compress=compress)
        data = path.read_bytes()
        path.write_bytes(data[:part] if part < 0 else data[: int(len(data) * part)])
        return path

    return make


def flipped(name: str) -> Maker:
    """A compressed file with a wrong byte in its middle."""

    def make(folder: Path) -> Path:
        path = write(folder / name, compress=True)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
        return path

    return make


def content(name: str, data: bytes) -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def image(name: str, make_image: Callable[[], sitk.Image]) -> Maker:
    def make(folder: Path) -> Path:
        sitk.WriteImage(make_image(), str(folder / name))
        return folder / name

    return make


def values(name: str, array: np.ndarray, grid: Grid = GRID) -> Maker:
    return lambda folder: write(folder / name, array, grid)


def lone_header(name: str, data: str) -> Maker:
    def make(folder: Path) -> Path:
        path = write(folder / name)
        (folder / data).unlink()
        return path

    return make


def short_data(name: str, data: str) -> Maker:
    def make(folder: Path) -> Path:
        path = write(folder / name)
        (folder / data).write_bytes((folder / data).read_bytes()[:-3000])
        return path

    return make


def sheared_nifti(folder: Path) -> Path:
    path = write(folder / "ct.nii", grid=Grid(GRID.shape, (1.0, 1.0, 2.0)))
    patch(path, 252, "<2h", 0, 1)
    return patch(path, 280, "<12f", 1, 0, 0, 0, 0, 1, 0.5, 0, 0, 0, (4 - 0.25) ** 0.5, 0)


def random_bytes(name: str) -> Maker:
    return content(name, np.random.default_rng(0).bytes(5000))


def four_dimensional() -> sitk.Image:
    return sitk.JoinSeries([GRID.to_image(noise()), GRID.to_image(noise(seed=1))])


def colour() -> sitk.Image:
    return sitk.Compose([GRID.to_image((noise() % 256).astype(np.uint8))] * 3)


def nan_somewhere(value: float) -> np.ndarray:
    array = noise().astype(np.float32)
    array[3, 4, 5] = value
    return array


UNUSABLE: dict[str, tuple[Maker, str]] = {
    "missing file": (lambda folder: folder / "nothing.nii.gz", 'There is no file or folder "nothing.nii.gz"'),
    "name too long": (lambda folder: folder / ("x" * 300), "cannot be read|There is no file"),
    "extension": (
        content("scan.png", b"x" * 200),
        r'"scan.png" is not a supported CT file.* \.nii, \.nii\.gz, .* or \.mhd file',
    ),
    "no extension": (content("scan", b"x" * 200), '"scan" is not a supported CT file'),
    **{f"zero bytes{ending}": (content(f"ct{ending}", b""), r"is empty \(0 bytes\)") for ending in ENDINGS},
    **{f"random bytes{ending}": (random_bytes(f"ct{ending}"), "damaged or not a") for ending in ENDINGS},
    "random bytes, gzipped": (content("ct.nii.gz", gzip.compress(bytes(range(256)) * 20)), "damaged or not a NIfTI"),
    **{
        f"{part} of {name}{' compressed' * compress}": (cut(name, part, compress), "incomplete: its end is missing")
        for name, compress in [("ct.nii.gz", True), ("ct.nii", False), ("ct.mha", True), ("ct.mha", False)]
        for part in (-1, 0.6, 0.1)
    },
    "gzip without its checksum": (cut("ct.nii.gz", -8), "incomplete"),
    "cut in the NIfTI header": (cut("ct.nii", 0.02), "damaged or not a NIfTI file"),
    "cut in the NRRD header": (cut("ct.nrrd", 0.02), "damaged or not a NRRD file"),
    "cut in the MetaImage header": (cut("ct.mha", 0.02), "damaged or not a MetaImage file"),
    "cut NRRD": (cut("ct.nrrd", -1), "incomplete"),
    "cut compressed NRRD": (cut("ct.nrrd", -20, True), "incomplete"),
    **{f"wrong byte in {name}": (flipped(name), "damaged") for name in ("ct.nii.gz", "ct.nrrd", "ct.mha")},
    "header without data, NRRD": (lone_header("ct.nhdr", "ct.raw"), 'data file "ct.raw" .* is missing.* one folder'),
    "header without data, Meta": (lone_header("ct.mhd", "ct.raw"), 'data file "ct.raw" .* is missing.* one folder'),
    "short data, NRRD": (short_data("ct.nhdr", "ct.raw"), "incomplete"),
    "short data, Meta": (short_data("ct.mhd", "ct.raw"), "incomplete"),
    "NIfTI-2": (content("ct.nii", struct.pack("<i4s", 540, b"n+2\0") + bytes(900)), "NIfTI-2"),
    "NIfTI dimensions": (patched(42, "<h", -5), "damaged or not a NIfTI file"),
    "NIfTI spacing 0": (patched(80, "<f", 0), "voxel size of 0 × 0.8 × 2.5 mm"),
    "NIfTI spacing negative": (patched(88, "<f", -2.5), "voxel size of 0.7 × 0.8 × -2.5 mm"),
    "NIfTI spacing NaN": (patched(84, "<f", float("nan")), "voxel size of 0.7 × nan"),
    "NIfTI spacing absurd": (patched(252, "<2h76x3f", 0, 0, 0, 0, 0), None),  # filled in below
    "NIfTI with two spacings": (patched(280, "<f", 1.4), "two different voxel sizes"),
    "NIfTI sheared": (sheared_nifti, "not at right angles"),
    "MetaImage spacing 0": (replaced("ct.mha", b"Spacing = 1 1 1", b"Spacing = 0 1 1"), "voxel size of 0 × 1 × 1 mm"),
    "MetaImage spacing < 0": (replaced("ct.mha", b"Spacing = 1 1 1", b"Spacing = 1 -1 1"), "voxel size of 1 × -1 × 1"),
    "MetaImage sheared": (replaced("ct.mha", b"= 1 0 0 0 1 0 0 0 1", b"= 1 0 0 0 1 0 0 .3 1"), "not at right angles"),
    "NRRD sheared": (replaced("ct.nrrd", b"(0,0,1)", b"(0,0.3,1)"), "not at right angles"),
    "NRRD spacing 0": (replaced("ct.nrrd", b"(0,0,1)", b"(0,0,0)"), "voxel size of 1 × 1 × 0 mm"),
    "NRRD spacing absurd": (replaced("ct.nrrd", b"(0,0,1)", b"(0,0,1e6)"), "cannot be right"),
    "NRRD too large": (replaced("ct.nrrd", b" 20 16 12\n", b" 20 16 99999999\n"), "too large to be read"),
    "MetaImage too large": (replaced("ct.mha", b"= 20 16 12\n", b"= 20 16 99999999\n"), "too large to be read"),
    "NRRD incomplete": (replaced("ct.nrrd", b" 20 16 12\n", b" 20 16 99\n"), "incomplete"),
    "MetaImage incomplete": (replaced("ct.mha", b"= 20 16 12\n", b"= 20 16 99\n"), "incomplete"),
    "one slice": (values("ct.nrrd", noise((1, 16, 20)), Grid((1, 16, 20))), "single slice"),
    "two-dimensional": (image("ct.nrrd", lambda: GRID.to_image(noise())[:, :, 3]), '"ct.nrrd" is a single slice'),
    "four-dimensional NIfTI": (image("ct.nii.gz", four_dimensional), r"a sequence of 2 images \(4D\)"),
    "four-dimensional NRRD": (image("ct.nrrd", four_dimensional), r"a sequence of 2 images \(4D\)"),
    "colour NIfTI": (image("ct.nii.gz", colour), "3 values per voxel"),
    "colour NRRD": (image("ct.nrrd", colour), "3 values per voxel"),
    "colour MetaImage": (image("ct.mha", colour), "3 values per voxel"),
    "NaN": (values("ct.nii.gz", nan_somewhere(np.nan)), "not numbers"),
    "minus infinity": (values("ct.nii.gz", nan_somewhere(-np.inf)), "not numbers"),
    "label map": (values("ct.nii.gz", (noise() > 0).astype(np.uint8)), "is a segmentation"),
    "8 bits": (values("ct.nii.gz", (noise() % 256).astype(np.uint8)), "grey values"),
    "0 to 1": (values("ct.nii.gz", ((noise() + 1024) / 1424).astype(np.float32)), "grey values"),
    "not rescaled": (values("ct.nii.gz", noise() + 1024), "not Hounsfield units"),
}
UNUSABLE["NIfTI spacing absurd"] = (
    lambda folder: patch(patch(write(folder / "ct.nii"), 252, "<2h", 1, 0), 80, "<f", 1e6),
    "cannot be right",
)


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_input_is_explained(tmp_path: Path, capfd: pytest.CaptureFixture, name: str) -> None:
    make, words = UNUSABLE[name]
    folder = tmp_path / "files"
    folder.mkdir()
    path = make(folder)
    capfd.readouterr()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=words) as caught:
        check_volume(read_volume(path))
    message = str(caught.value)
    assert message.endswith(".") and ". " in message and "\n" not in message and str(tmp_path) not in message
    assert capfd.readouterr() == ("", "")
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_a_series_cannot_be_chosen_in_an_image_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only in a DICOM folder"):
        read_volume(write(tmp_path / "ct.nrrd"), series="4")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), 'permission to read "ct.nii.gz"'),
        (OSError(5, "Input/output error"), r'"ct.nii.gz" cannot be read \(Input/output error\)'),
        (MemoryError(), 'not enough memory for "ct.nii.gz"'),
    ],
)
def test_errors_of_the_operating_system_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    path = write(tmp_path / "ct.nii.gz")

    def refuse(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=words):
        read_volume(path)


def test_itk_warnings_are_restored_afterwards(tmp_path: Path) -> None:
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    read_volume(write(tmp_path / "ct.nrrd"))
    assert sitk.ProcessObject.GetGlobalWarningDisplay() == before


def test_real_cts_pass_the_check_and_their_masks_do_not(shared_data: Path) -> None:
    folder = shared_data / "covid19_ct_seg_hu"
    volume: Volume = read_volume(folder / "coronacases_003_run0_ct.nii.gz")
    assert volume.array.shape == (8, 263, 390)
    assert check_volume(volume) == ()
    with pytest.raises(InputError, match="is a segmentation"):
        check_volume(read_volume(folder / "coronacases_003_run0_infection.nii.gz"))
