"""Figures of slices fit on a screen."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from CovidSegLib.figures.slices import SliceView, draw_comparison


def test_many_models_are_drawn_in_several_rows(tmp_path: Path) -> None:
    disc = np.hypot(*np.mgrid[-20:20, -20:20]) < 8
    view = SliceView("case, slice 1 of 1", np.where(disc, -300.0, -850.0), disc, disc, (1.0, 1.0))
    sizes = []
    for number in (3, 6):
        draw_comparison(tmp_path / "p.png", "Title", {f"model {each}": view for each in range(number)})
        sizes.append(matplotlib.image.imread(tmp_path / "p.png").shape)
    assert sizes[0][1] == sizes[1][1] == pytest.approx(4 * 550, abs=2)
    assert sizes[1][0] > 1.8 * sizes[0][0]
