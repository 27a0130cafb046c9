"""The picture of how well two CTs fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.follow_ups import GRID, current

from CovidSegLib.figures import palette
from CovidSegLib.figures.registration_fit import PANEL, FitView, draw_fit, fit_picture
from CovidSegLib.volume import Volume

TARGET, PREDICTION = (tuple(bytes.fromhex(colour[1:])) for colour in (palette.TARGET, palette.PREDICTION))


@pytest.fixture
def view() -> FitView:
    """The lungs of the earlier CT reach less far to the left."""
    point = current()
    prior_lungs = point.segmentation.lungs.copy()
    prior_lungs[:, :, 32:] = 0
    return FitView(point.volume, point.segmentation.lungs, np.full(GRID.shape, -850, np.int16), prior_lungs)


def count(picture: Image.Image, colour: tuple[int, ...]) -> int:
    return int((np.asarray(picture) == colour).all(-1).sum())


def test_both_outlines_in_all_panels(view: FitView) -> None:
    picture = fit_picture(view, 0.93)
    assert picture.width > 3 * PANEL
    third = picture.width // 3
    for column in range(3):
        part = picture.crop((column * third, 60, (column + 1) * third, picture.height - 30))
        assert count(part, TARGET) > 50 and count(part, PREDICTION) > 50


def test_lungs_that_fit_have_one_outline(view: FitView) -> None:
    same = fit_picture(FitView(view.volume, view.lungs, view.prior, view.lungs), 1.0)
    assert count(same, TARGET) == 0 and count(same, PREDICTION) > 500


def test_the_middle_column_shows_the_earlier_ct(view: FitView) -> None:
    bright = FitView(view.volume, view.lungs, np.full(GRID.shape, 400, np.int16), view.prior_lungs)
    third = fit_picture(view, 1.0).width // 3
    area = (third + 40, 100, 2 * third - 40, 200)
    means = [np.asarray(fit_picture(v, 1.0).crop(area)).mean() for v in (view, bright)]
    assert means[1] - means[0] > 80


def test_the_file(view: FitView, tmp_path: Path) -> None:
    draw_fit(tmp_path / "fit.png", view, 0.93)
    with Image.open(tmp_path / "fit.png") as picture:
        assert picture.format == "PNG" and picture.mode == "P"


def test_oblique_grids(view: FitView) -> None:
    axes = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    turned = type(GRID)(GRID.shape, GRID.spacing, GRID.origin, tuple(axes.ravel().tolist()))
    volume = Volume(view.volume.array, turned)
    assert fit_picture(FitView(volume, view.lungs, view.prior, view.prior_lungs), 1.0).height > 200
