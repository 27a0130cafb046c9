"""Masks of CovidSeg and of other tools, on the grid of the CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.grids import chest, grid_of

from CovidSegLib.cohorts.case_masks import MaskFiles, read_case_masks, read_provenance, read_stored_masks
from CovidSegLib.errors import InputError
from CovidSegLib.outputs import write_results
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid

OBLIQUE = grid_of((20, 30, 40), (2.0, 1.8, 2.5), (-40.0, 30.0, -900.0), (7, -12, 21))
#: The columns of this grid run from left to right.
FLIPPED = grid_of((20, 30, 40), (2.0, 1.8, 2.5), (40.0, 30.0, -900.0), flips=(-1, 1, 1))


def write(path: Path, array: np.ndarray, grid: Grid) -> Path:
    sitk.WriteImage(grid.to_image(array), str(path), useCompression=True)
    return path


def same(one: Segmentation, other: Segmentation) -> bool:
    return np.array_equal(one.lungs, other.lungs) and np.array_equal(one.infection, other.infection)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    write_results(tmp_path / "result", *chest(), skip=["surfaces", "overview", "labels"])
    return tmp_path / "result"


def test_a_result_of_covidseg(result: Path) -> None:
    volume, segmentation = chest()
    assert same(read_case_masks(MaskFiles(result), volume), segmentation)
    assert same(read_case_masks(MaskFiles(result / "segmentation.seg.nrrd"), volume), segmentation)
    assert read_provenance(MaskFiles(result)) == segmentation.provenance
    assert read_provenance(MaskFiles(result / "segmentation.seg.nrrd")) == {}


@pytest.mark.parametrize("grid", [OBLIQUE, FLIPPED], ids=["oblique", "flipped"])
@pytest.mark.parametrize("sides", [(0, 1, 2, 3), (0, 2, 1, 3)], ids=["right first", "left first"])
def test_a_label_map_whichever_lung_comes_first(tmp_path: Path, grid: Grid, sides: tuple[int, ...]) -> None:
    volume, segmentation = chest(grid)
    if grid is FLIPPED:  # in it, the first lung is the left one
        lungs = np.array([0, 2, 1], np.uint8)[segmentation.lungs]
        segmentation = Segmentation(lungs, segmentation.infection, segmentation.probability, grid)
    labels = np.array(sides, np.uint8)[segmentation.labels]
    path = write(tmp_path / "labels.nii.gz", labels, grid)
    assert same(read_case_masks(MaskFiles(path), volume), segmentation)


def test_infection_and_lungs_in_files_of_their_own(tmp_path: Path) -> None:
    volume, segmentation = chest(grid_of((20, 30, 40), (2.0, 1.8, 2.5)))
    lesions = write(tmp_path / "a.nii.gz", segmentation.infection.astype(np.uint8) * 2, volume.grid)
    lungs = write(tmp_path / "b.nii.gz", (segmentation.lungs > 0).astype(np.uint8), volume.grid)
    binary = write(tmp_path / "c.nrrd", segmentation.infection.astype(np.uint8), volume.grid)
    found = read_case_masks(MaskFiles(infection=lesions, lungs=lungs), volume)
    assert same(found, segmentation)
    only = read_case_masks(MaskFiles(binary), volume)
    assert np.array_equal(only.infection, segmentation.infection) and not only.lungs.any()
    stored = read_stored_masks(MaskFiles(infection=lesions, lungs=lungs))
    assert np.array_equal(stored.infection, segmentation.infection)


def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, result: Path) -> None:
    volume, segmentation = chest()
    grid = volume.grid
    many = write(tmp_path / "many.nii.gz", segmentation.labels * np.uint8(5), grid)
    ct = write(tmp_path / "ct.nii.gz", volume.array, grid)
    other = write(tmp_path / "other.nii.gz", segmentation.labels, grid_of(grid.shape, (1, 1, 1)))
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(ct.read_bytes()[:200])
    (result / "segmentation.seg.nrrd").write_bytes(b"NRRD0004\n")
    for files, text in (
        (MaskFiles(tmp_path / "nowhere.nii.gz"), "moved or deleted"),
        (MaskFiles(many), "holds the label 15"),
        (MaskFiles(ct), "not hold labels"),
        (MaskFiles(other), "do not lie on the voxels"),
        (MaskFiles(cut), "cut.nii.gz"),
        (MaskFiles(result), "damaged"),
        (MaskFiles(lungs=write(tmp_path / "l.nii.gz", segmentation.labels, grid)), "labels 1 and 2"),
        (MaskFiles(Path(__file__)), "not an image of masks"),
    ):
        with pytest.raises(InputError, match=text) as caught:
            read_case_masks(files, volume)
        assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
