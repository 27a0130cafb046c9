"""The overview shows slices and surfaces in the correct orientation, on any grid and on any machine."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from support.figures import texts
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersSources import vtkSphereSource

from CovidSegLib.figures import palette, rendering
from CovidSegLib.figures.overview import (
    NO_3D,
    NO_SURFACES,
    SYNTHETIC,
    draw_overview,
    overview_figure,
)
from CovidSegLib.figures.overview.layout import HEADER, SIZE, VIEWS, WIDTH
from CovidSegLib.notices import NOT_FOR_DIAGNOSIS
from CovidSegLib.phantom import default_grid, make_phantom, oblique_grid
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.volume import Grid, Volume

STRAIGHT = Grid((56, 90, 90), (4.0, 4.0, 5.6), default_grid().origin)
OBLIQUE = Grid((65, 110, 115), (3.4, 3.2, 5.2), oblique_grid().origin, oblique_grid().direction)
#: Columns run towards the patient's right, rows to the front, slices to the feet.
FLIPPED = Grid(STRAIGHT.shape, STRAIGHT.spacing, (177.5, 185.5, 108.0), (-1, 0, 0, 0, -1, 0, 0, 0, -1))
#: The slices of the array are sagittal.
TURNED = Grid((90, 56, 90), (4.0, 5.6, 4.0), STRAIGHT.origin, (0, 0, 1, 1, 0, 0, 0, 1, 0))
GRIDS = {"straight": STRAIGHT, "oblique": OBLIQUE, "flipped": FLIPPED, "turned": TURNED}

REPORT: dict[str, Any] = {
    "lungs": {
        "right": {"volume_ml": 2640.2, "infection_ml": 116.1, "involvement_percent": 4.4},
        "left": {"volume_ml": 2501.7, "infection_ml": 66.2, "involvement_percent": 2.6},
        "both": {"volume_ml": 5141.9, "infection_ml": 182.3, "involvement_percent": 3.5},
    },
    "lesions": {"count": 1, "list": [{"number": 1, "volume_ml": 65.3, "lung": "right", "mean_hu": -571.0}]},
    "warnings": ["The bases of the lungs are cut off."],
    "provenance": {"model": {"name": "a-model", "version": "1.2", "sha256": "0123456789abcdef" * 4}},
}


@cache
def phantom_case(grid: Grid, infected: bool = True) -> tuple[Volume, Segmentation]:
    phantom = make_phantom(grid, infected=infected)
    nothing = np.zeros(grid.shape, np.uint8)
    return phantom.volume, Segmentation(phantom.lungs, phantom.infection, nothing, grid)


def pixels_of(picture: np.ndarray, colour: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of a colour, within a tolerance."""
    return np.nonzero(np.abs(picture[..., :3] - to_rgb(colour)).max(-1) < 0.12)


def sphere(x: float, y: float = 0.0) -> vtkPolyData:
    source = vtkSphereSource()
    source.SetCenter(x, y, 0)
    source.SetRadius(30)
    source.Update()
    return source.GetOutput()


@pytest.mark.parametrize("name", GRIDS)
def test_right_is_on_the_left_and_front_and_head_are_at_the_top(name: str, tmp_path: Path) -> None:
    grid = GRIDS[name]
    volume, segmentation = phantom_case(grid)
    index = np.stack([*np.indices(grid.shape)[::-1], np.ones(grid.shape)])
    _, y, z, _ = np.einsum("rc,czyx->rzyx", grid.affine_lps, index)
    infection = (segmentation.lungs == 1) & (y > 20) & (z < -50)
    path = tmp_path / "overview.png"
    draw_overview(path, volume, replace(segmentation, infection=infection), REPORT, None)
    assert [file.name for file in tmp_path.iterdir()] == ["overview.png"]
    picture = imread(path)
    assert picture.shape[:2] == (SIZE[1], SIZE[0])
    axial, coronal, sagittal = np.split(picture[HEADER:480, :WIDTH], [int(0.4 * WIDTH), int(0.71 * WIDTH)], axis=1)

    def centre(view: np.ndarray, colour: str) -> np.ndarray:
        """Mean row and column of a colour."""
        pixels = pixels_of(view, colour)
        assert len(pixels[0]) > 30
        return np.mean(pixels, axis=1)

    for view in (axial, coronal):
        assert centre(view, palette.RIGHT_LUNG)[1] + 50 < centre(view, palette.LEFT_LUNG)[1]
        assert centre(view, palette.INFECTION)[1] + 50 < centre(view, palette.LEFT_LUNG)[1]
    assert (centre(axial, palette.INFECTION) > centre(axial, palette.RIGHT_LUNG) + 20)[0]
    assert (centre(coronal, palette.INFECTION) > centre(coronal, palette.RIGHT_LUNG) + 20)[0]
    assert (centre(sagittal, palette.INFECTION) > centre(sagittal, palette.RIGHT_LUNG) + 20).all()


def test_the_overview_shows_notices_numbers_and_warnings() -> None:
    volume, segmentation = phantom_case(STRAIGHT)
    text = texts(overview_figure(volume, segmentation, REPORT))
    for expected in (
        NOT_FOR_DIAGNOSIS,
        SYNTHETIC,
        NO_SURFACES,
        "3.5 %",
        "2,640",
        "66.2",
        "a-model 1.2",
        "0123456789abcdef",
        "The bases of the lungs are cut off.",
        "most infection",
    ):
        assert expected in text, expected
    real = Volume(volume.array, volume.grid, {"format": "NIfTI"}, ("The slices are far apart.",))
    text = texts(overview_figure(real, segmentation, REPORT))
    assert SYNTHETIC not in text
    assert "The slices are far apart." in text


def test_a_case_without_infection(tmp_path: Path) -> None:
    volume, segmentation = phantom_case(STRAIGHT, infected=False)
    assert "no infection found" in texts(overview_figure(volume, segmentation, {}))
    draw_overview(tmp_path / "a.png", volume, segmentation, {}, {"infection": vtkPolyData()})
    slices = imread(tmp_path / "a.png")[:, :WIDTH]
    assert len(pixels_of(slices, palette.INFECTION)[0]) == 0
    assert len(pixels_of(slices, palette.RIGHT_LUNG)[0]) > 500


def test_missing_lungs_are_reported_and_missing_numbers_are_dashes() -> None:
    volume, segmentation = phantom_case(STRAIGHT)
    right_only = Segmentation(
        np.where(segmentation.lungs == 1, 1, 0).astype(np.uint8),
        segmentation.infection & (segmentation.lungs == 1),
        segmentation.probability,
        STRAIGHT,
    )
    report = {
        "lungs": {"left": {"volume_ml": None}, "both": {"involvement_percent": None}},
        "lesions": {"list": [{"mean_hu": None}]},
        "warnings": None,
        "provenance": {"model": "a-name"},
    }
    text = texts(overview_figure(volume, right_only, report))
    assert "No left lung was found." in text
    assert "- %" in text and "a-name" in text
    nothing = np.zeros(STRAIGHT.shape, np.uint8)
    text = texts(overview_figure(volume, Segmentation(nothing, nothing > 0, nothing, STRAIGHT), {}))
    assert "No right and no left lung was found." in text


def test_a_single_slice_can_be_drawn() -> None:
    volume, segmentation = phantom_case(Grid((1, 60, 60), (6.0, 6.0, 5.0), (-178.5, -170.5, -40.0)))
    overview_figure(volume, segmentation, REPORT)


@pytest.mark.parametrize("code", ["import os; os.abort()", "raise SystemExit(0)", "import time; time.sleep(60)"])
def test_without_rendering_only_the_3d_views_are_missing(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "render_command", lambda size: [sys.executable, "-c", code])
    wait = rendering.Rendering.pictures
    monkeypatch.setattr(rendering.Rendering, "pictures", lambda self: wait(self, timeout=1.0))
    start = time.monotonic()
    text = texts(overview_figure(*phantom_case(STRAIGHT), REPORT, {"lungs": sphere(0)}))
    assert NO_3D in text and "From the front" not in text
    assert time.monotonic() - start < 20


def test_without_a_child_process_there_are_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert rendering.Rendering({"lungs": sphere(0)}, (80, 60)).pictures() is None


def test_modules_in_the_folder_of_the_surfaces_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    child = rendering.Rendering({}, (80, 60))
    child.close()
    monkeypatch.setenv("PYTHONPATH", ".")
    monkeypatch.setattr(rendering.subprocess, "Popen", lambda command, **options: (command, options))
    monkeypatch.setattr(child, "_window_classes", [None])
    command, options = child._start()  # type: ignore[misc]
    assert "-P" in command
    assert options["env"]["PYTHONPATH"] == str(Path(rendering.__file__).parents[2])


def test_rendered_views_have_the_correct_orientation() -> None:
    surfaces = {"right_lung": sphere(-50), "left_lung": sphere(50), "infection": sphere(50, -60)}
    child = rendering.Rendering(surfaces, (200, 120))
    folder = Path(child._folder.name)
    views = child.pictures()
    assert not folder.exists()
    if views is None:
        pytest.skip("this machine cannot render")

    def side(view: str, channel: int) -> float:
        """Mean position, from -1 at the left to 1 at the right, of the red (0) or blue (2) pixels of a view."""
        excess = views[view].astype(float)
        excess = np.clip(excess[..., channel] - excess[..., 2 - channel] - 20, 0, None)
        return float((excess * np.linspace(-1, 1, excess.shape[1])).sum() / excess.sum())

    assert all(view.shape == (120, 200, 3) for view in views.values())
    assert side("From the front", 0) > 0.2  # infection in the left lung is on the right of the picture
    assert side("From the back", 0) < -0.2
    assert side("From the front", 2) < -0.1
    assert side("From the left", 0) < -0.1  # it is anterior, and anterior is on the left of the picture
    assert side("From the right", 0) > 0.1


def test_the_overview_contains_the_rendered_views(tmp_path: Path) -> None:
    surfaces = {"lungs": sphere(-50), "infection": sphere(-50, -10)}
    figure = overview_figure(*phantom_case(STRAIGHT), REPORT, surfaces)
    if NO_3D in texts(figure):
        pytest.skip("this machine cannot render")
    figure.savefig(tmp_path / "a.png", dpi=100)
    row = imread(tmp_path / "a.png")[VIEWS.top : VIEWS.top + VIEWS.height, :WIDTH]
    for view in np.split(row[:, : row.shape[1] // 4 * 4], 4, axis=1):
        assert (np.ptp(view[..., :3], axis=(0, 1)) > 0.2).any()
