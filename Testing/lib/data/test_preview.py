"""The contact sheet of a data set: which slices it shows, and its size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from support.tiny_case import chest_case

from CovidSegLib.data import preview


def test_the_most_informative_slices_are_shown() -> None:
    case = chest_case(slices=12)
    most = int(case.infection.sum(axis=(1, 2)).argmax())
    assert preview.slices_to_show(case) == sorted({3, most, 8})
    assert preview.slices_to_show(replace(case, masks={**case.masks, "infection": np.zeros_like(case.infection)})) == [
        3,
        6,
        8,
    ]
    assert preview.slices_to_show(chest_case(slices=1)) == [0]
    case.lungs[:] = False
    assert len(preview.slices_to_show(case)) == 3


def test_the_sheet_stays_small_enough_to_view(tmp_path: Path) -> None:
    cases = [chest_case(str(number), slices=1) for number in range(preview.MAX_CASES + 5)]
    preview.draw_preview(tmp_path / "p.png", cases)
    width, height = Image.open(tmp_path / "p.png").size
    assert width < 1600 and height < 3200
