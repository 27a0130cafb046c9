"""Masks of lungs and infection from probability maps."""

import numpy as np
import pytest

from CovidSegLib.phantom import make_phantom
from CovidSegLib.postprocessing import CLOSING_MM, VESSEL_MM2, infection_in_lungs, lungs_from_probability
from CovidSegLib.volume import AxialSpacing

SPACING = AxialSpacing(2.0, 1.0, 1.0)


def two_lungs(touching: bool = False) -> np.ndarray:
    """Two ellipsoids, right lung first; if touching, a bridge in front of the heart connects them."""
    z, y, x = np.mgrid[:60, :120, :160]
    lungs = np.zeros(z.shape, dtype=bool)
    for centre in (42, 118):
        lungs |= ((z - 30) / 27) ** 2 + ((y - 60) / 45) ** 2 + ((x - centre) / 30) ** 2 < 1
    if touching:
        lungs |= (np.abs(z - 30) < 6) & (np.abs(y - 40) < 4) & (np.abs(x - 80) < 30)
    return lungs


def test_right_and_left_lung_are_separated_even_if_they_touch() -> None:
    for touching in (False, True):
        mask = two_lungs(touching)
        lungs = lungs_from_probability((mask * 255).astype(np.uint8), SPACING)
        np.testing.assert_array_equal(lungs > 0, mask)
        assert (lungs[:, :, :74][mask[:, :, :74]] == 1).all()
        assert (lungs[:, :, 86:][mask[:, :, 86:]] == 2).all()


def test_a_single_lung_is_not_split() -> None:
    mask = two_lungs()
    mask[:, :, 80:] = False
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), SPACING)
    assert set(np.unique(lungs)) == {0, 1}


@pytest.mark.parametrize(("columns", "side"), [(slice(10, 60), 1), (slice(100, 150), 2)])
def test_a_thin_layer_is_a_single_lung_on_its_side(columns: slice, side: int) -> None:
    """Erosion removes it completely. Untrained networks predict such layers."""
    mask = np.zeros((60, 120, 160), dtype=bool)
    mask[10:50, 30:32, columns] = True
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), AxialSpacing(8.0, 4.0, 4.0))
    np.testing.assert_array_equal(lungs, np.where(mask, side, 0))


def test_small_components_are_removed_and_holes_filled() -> None:
    mask = two_lungs()
    holed = mask.copy()
    holed[28:32, 58:64, 38:46] = False  # a vessel
    holed[5:9, 2:8, 2:8] = True  # bowel
    lungs = lungs_from_probability((holed * 255).astype(np.uint8), SPACING)
    np.testing.assert_array_equal(lungs > 0, mask)


def test_gas_is_removed_and_emphysema_is_kept() -> None:
    mask = two_lungs()
    prediction = mask.copy()
    prediction[2:58, 112:119, 30:130] = True  # behind the chest: 78 ml
    hu = np.where(mask, -940, np.where(prediction, -1000, 40)).astype(np.int16)
    probability = (prediction * 255).astype(np.uint8)
    np.testing.assert_array_equal(lungs_from_probability(probability, SPACING, hu) > 0, mask)
    np.testing.assert_array_equal(lungs_from_probability(probability, SPACING) > 0, prediction)


def test_enclosed_consolidation_is_filled_and_the_dome_of_the_diaphragm_is_not() -> None:
    mask = two_lungs()
    z, y, x = np.mgrid[:60, :120, :160]
    dome = ((z - 3) / 22) ** 2 + ((y - 60) / 22) ** 2 + ((x - 42) / 15) ** 2 < 1  # surrounded by a ring of lung
    consolidation = ((z - 32) / 6) ** 2 + ((y - 60) / 20) ** 2 + ((x - 118) / 15) ** 2 < 1
    lungs = lungs_from_probability(((mask & ~dome & ~consolidation) * 255).astype(np.uint8), SPACING)
    ring = [z for z in range(10, 22) if (dome & mask)[z].sum() > VESSEL_MM2]
    assert len(ring) > 6
    assert not (lungs > 0)[ring][dome[ring]].any()
    np.testing.assert_array_equal((lungs > 0)[~dome], mask[~dome])
    assert (lungs[consolidation] == 2).all()


def test_an_empty_map_gives_an_empty_mask() -> None:
    assert not lungs_from_probability(np.zeros((10, 20, 30), dtype=np.uint8), SPACING).any()


def test_the_lungs_of_the_phantom_are_not_changed() -> None:
    phantom = make_phantom(seed=3)
    slices, rows, columns = phantom.volume.grid.spacing[::-1]
    lungs = lungs_from_probability(((phantom.lungs > 0) * 255).astype(np.uint8), AxialSpacing(slices, rows, columns))
    assert (lungs == phantom.lungs).mean() > 0.9995


def test_infection_outside_the_lungs_and_small_components_are_removed() -> None:
    lungs = np.where(two_lungs(), 1, 0).astype(np.uint8)
    lungs[:, :, 80:] *= 2
    probability = np.zeros(lungs.shape, dtype=np.uint8)
    probability[25:30, 50:60, 35:45] = 200  # in the right lung: 1 ml
    probability[20, 50, 120] = 255  # a speck
    probability[0:3, 0:5, 0:5] = 255  # outside
    infection, after = infection_in_lungs(probability, lungs, 0.5, SPACING, smallest_ml=0.05)
    assert infection.sum() == 500 and (after == lungs).all()
    assert not infection_in_lungs(probability, lungs, 0.9, SPACING, smallest_ml=0.05)[0].any()


def test_consolidation_in_an_indentation_is_added_to_the_lung() -> None:
    lungs = np.where(two_lungs(), 1, 0).astype(np.uint8)
    lungs[:, :, 80:] *= 2
    dented = lungs.copy()
    dented[26:34, 56:63, 16:24] = 0  # consolidation that the lung network missed
    dented[26:34, 58:61, 0:16] = 0  # and that extends to the chest wall
    missing = (lungs > 0) & (dented == 0)
    infection, after = infection_in_lungs(missing.astype(np.uint8) * 255, dented, 0.5, SPACING, smallest_ml=0.05)
    assert infection[missing].mean() > 0.75 and (after[infection] == 1).all()


def test_the_mediastinum_between_the_lungs_is_not_closed() -> None:
    """Each lung is closed by itself: a gap between both that is narrower than the closing is no lung."""
    lungs = np.zeros((20, 120, 123), np.uint8)
    lungs[2:18, 21:99, 21:57], lungs[2:18, 21:99, 66:102] = 1, 2
    probability = np.full(lungs.shape, 255, np.uint8)
    infection, after = infection_in_lungs(probability, lungs, 0.5, SPACING, smallest_ml=0.05)
    assert 2 * CLOSING_MM > 66 - 57
    np.testing.assert_array_equal(after, lungs)
    np.testing.assert_array_equal(infection, lungs > 0)


def test_a_probability_at_the_threshold_counts() -> None:
    mask = two_lungs()
    lungs = lungs_from_probability((mask * 128).astype(np.uint8), SPACING)
    np.testing.assert_array_equal(lungs > 0, mask)
    assert not lungs_from_probability((mask * 127).astype(np.uint8), SPACING).any()
    for threshold, lowest in ((0.5, 128), (0.4, 102), (0.0, 1), (1.0, 255)):
        for value in (lowest - 1, lowest):
            probability = np.full(mask.shape, value, np.uint8)
            infection, _ = infection_in_lungs(probability, lungs, threshold, SPACING, smallest_ml=0.0)
            assert infection.any() == (value == lowest), (threshold, value)
