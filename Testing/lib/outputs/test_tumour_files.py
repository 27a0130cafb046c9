"""Files and measurements of lung tumours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from support.grids import grid_of

from CovidSegLib.errors import InputError
from CovidSegLib.outputs.tumour_files import measure_tumours, prepare_tumours, write_tumours
from CovidSegLib.segmentation import TumourSegmentation
from CovidSegLib.volume import Grid, Volume

PROVENANCE = {"model": {"name": "msd", "sha256": "0" * 64}, "versions": {"covidseg": "1.0"}}


def found_on(grid: Grid) -> tuple[Volume, TumourSegmentation]:
    """A CT of -800 HU with tumours of 30 HU: 4 x 4 x 4 voxels, 2 x 2 x 2 voxels, and one voxel."""
    tumour = np.zeros(grid.shape, dtype=bool)
    tumour[2:6, 2:6, 2:6] = tumour[10:12, 10:12, 10:12] = tumour[15, 15, 15] = True
    volume = Volume(np.where(tumour, 30, -800).astype(np.int16), grid, warnings=("Thick slices.",))
    return volume, TumourSegmentation(tumour, 255 * tumour.astype(np.uint8), grid, PROVENANCE, ("Untrained.",))


def test_measurements_are_those_of_the_mask() -> None:
    grid = grid_of((20, 20, 20), (2.0, 2.0, 5.0), (1.0, 2.0, 3.0))
    report = measure_tumours(*found_on(grid))
    assert report["volume_ml"] == pytest.approx(73 * 0.02)
    tumours = report["tumours"]
    assert [tumour["volume_ml"] for tumour in tumours["list"]] == [1.28, 0.16]
    assert [tumour["mean_hu"] for tumour in tumours["list"]] == [30.0, 30.0]
    assert tumours["list"][0]["centre_lps_mm"] == pytest.approx([1 + 3.5 * 2, 2 + 3.5 * 2, 3 + 3.5 * 5])
    assert tumours["count"] == 2 and tumours["smaller"] == {"count": 1, "volume_ml": 0.02}
    assert report["warnings"] == ["Thick slices.", "Untrained."]
    assert report["notice"] == "Research software. Not for diagnosis."
    other = found_on(grid_of((20, 20, 24), (2.0, 2.0, 5.0), (0.0, 0.0, 0.0)))[1]
    with pytest.raises(ValueError, match="tumours of shape"):
        measure_tumours(found_on(grid)[0], other)


def test_the_segment_has_its_own_name_and_codes(tmp_path: Path) -> None:
    grid = grid_of((20, 20, 20), (2.0, 2.0, 5.0), (1.0, 2.0, 3.0))
    volume, found = found_on(grid)
    files = write_tumours(tmp_path, volume, found)
    assert json.loads((tmp_path / "tumour.json").read_text()) == measure_tumours(volume, found)
    image = sitk.ReadImage(str(tmp_path / "tumour.seg.nrrd"))
    assert image.GetSpacing() == pytest.approx(grid.spacing) and image.GetOrigin() == pytest.approx(grid.origin)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).reshape(grid.shape), found.tumour)
    assert image.GetMetaData("Segment0_ID") == "tumour" and image.GetMetaData("Segment0_Name") == "Lung tumour"
    assert "SCT^108369006^Neoplasm" in image.GetMetaData("Segment0_Tags")
    assert f"CovidSeg.sha256:{'0' * 64}|" in image.GetMetaData("Segment0_Tags")
    assert sorted(files) == sorted(tmp_path.iterdir()) and len(files) == 4


def test_earlier_results_are_replaced_only_if_wanted(tmp_path: Path) -> None:
    volume, found = found_on(grid_of((20, 20, 20), (2.0, 2.0, 5.0), (0.0, 0.0, 0.0)))
    prepare_tumours(tmp_path)
    write_tumours(tmp_path, volume, found)
    before = (tmp_path / "tumour.json").read_bytes()
    with pytest.raises(InputError, match="already holds results"):
        prepare_tumours(tmp_path)
    with pytest.raises(InputError, match="already holds results"):
        write_tumours(tmp_path, volume, found)
    assert (tmp_path / "tumour.json").read_bytes() == before
    write_tumours(tmp_path, volume, found, overwrite=True)
