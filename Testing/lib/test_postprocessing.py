"""Masks of lungs and infection from probability maps."""

import numpy as np
import pytest

from CovidSegLib.phantom import make_phantom
from CovidSegLib.postprocessing import CLOSING_MM, VESSEL_MM2, infection_in_lungs, lung_region, lungs_from_probability
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


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 5, 7), (3, 11, 40)])
def test_the_place_of_the_lungs_in_the_image_does_not_matter(shift: tuple[int, int, int]) -> None:
    """Only a box around them is processed, whose edges and grid must not show."""
    probability = (two_lungs() * 255).astype(np.uint8)
    probability[20:24, 50:54, 30:34] = 0  # a hole
    hu = np.full(probability.shape, -860, np.int16)
    step, moved = np.array([3, 3, 3]) * shift, np.zeros(np.array(probability.shape) + 150, np.uint8)
    place = tuple(slice(start, start + length) for start, length in zip(step, probability.shape, strict=True))
    moved[place] = probability
    lungs = lungs_from_probability(probability, SPACING, hu)
    np.testing.assert_array_equal(lungs_from_probability(moved, SPACING)[place], lungs)
    region = lung_region(probability, SPACING, hu)
    for axis in range(3):
        other = tuple({0, 1, 2} - {axis})
        np.testing.assert_array_equal(region.any(axis=other), (lungs > 0).any(axis=other))
    assert not lung_region(probability, SPACING, np.full_like(hu, -1000)).any()  # gas


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


def test_a_component_of_40_ml_is_kept_and_a_smaller_one_is_not() -> None:
    """On voxels of 3 mm, which are analysed as they are. 40 ml are 1482 voxels."""
    spacing = AxialSpacing(3.0, 3.0, 3.0)
    mask = np.zeros((40, 60, 80), dtype=bool)
    mask[5:35, 10:50, 5:25] = True  # the right lung: 648 ml
    mask[5:24, 10:23, 50:56] = True  # 19 x 13 x 6 = 1482 voxels
    small = mask.copy()
    small[5, 10, 50] = False
    for prediction, kept in ((mask, True), (small, False)):
        lungs = lungs_from_probability((prediction * 255).astype(np.uint8), spacing)
        assert (lungs[:, :, 40:] > 0).any() == kept
        assert (lungs[:, :, :40] > 0).sum() == 30 * 40 * 20


def test_a_second_component_is_a_lung_if_it_is_large_and_beside_the_first() -> None:
    """Otherwise both are one lung: a lobe above a lobe, or a small piece that consolidation has cut off."""
    spacing = AxialSpacing(3.0, 3.0, 3.0)
    lung = np.zeros((60, 60, 100), dtype=bool)
    lung[5:28, 10:50, 5:30] = True  # 621 ml
    beside, above, small = (lung.copy() for _ in range(3))
    beside[5:28, 10:50, 60:85] = True
    above[32:55, 10:50, 8:33] = True
    small[5:15, 10:25, 60:75] = True  # 61 ml
    for mask, sides in ((beside, {1, 2}), (above, {1}), (small, {1})):
        lungs = lungs_from_probability((mask * 255).astype(np.uint8), spacing)
        assert set(np.unique(lungs)) - {0} == sides
        np.testing.assert_array_equal(lungs > 0, mask)
    smaller = beside.copy()
    smaller[25:28, :, 60:85] = False  # the left lung is the smaller one
    for mask in (smaller, smaller[:, :, ::-1]):
        lungs = lungs_from_probability((mask * 255).astype(np.uint8), spacing)
        assert set(np.unique(lungs[:, :, :45])) == {0, 1} and set(np.unique(lungs[:, :, 55:])) == {0, 2}
    mirrored = lungs_from_probability((above[:, :, ::-1] * 255).astype(np.uint8), spacing)
    assert set(np.unique(mirrored)) == {0, 2}


def test_a_vessel_is_filled_up_to_its_size() -> None:
    """A hole of 200 square mm that runs through all slices is a vessel; a larger one is not."""
    for rows, filled in ((20, True), (21, False)):
        mask = np.zeros((20, 60, 120), dtype=bool)
        mask[:, 5:55, 5:50] = mask[:, 5:55, 70:115] = True
        holed = mask.copy()
        holed[:, 10 : 10 + rows, 20:30] = False
        lungs = lungs_from_probability((holed * 255).astype(np.uint8), AxialSpacing(10.0, 1.0, 1.0))
        np.testing.assert_array_equal(lungs > 0, mask if filled else holed)
        assert (lungs[:, :, :60] != 2).all() and (lungs[:, :, 60:] != 1).all()


def test_an_indentation_is_closed_up_to_the_diameter_of_the_closing() -> None:
    """A radius of 9 mm, in voxels of 3 mm: an indentation of 18 mm is closed, one of 21 mm is not. On every side."""
    spacing = AxialSpacing(3.0, 3.0, 3.0)
    for width, closed in ((6, True), (7, False)):
        for turns in range(4):
            lung = np.zeros((1, 60, 60), np.uint8)
            lung[0, 10:50, 10:50] = 1
            lung[0, 26 : 26 + width, 10:20] = 0
            dent = np.zeros(lung.shape, dtype=bool)
            dent[0, 26 : 26 + width, 10:20] = True
            lung, dent = np.rot90(lung, turns, (1, 2)).copy(), np.rot90(dent, turns, (1, 2)).copy()
            probability = (dent * 255).astype(np.uint8)
            infection, after = infection_in_lungs(probability, lung, 0.5, spacing, smallest_ml=0.0)
            assert infection[dent].mean() > 0.7 if closed else infection[dent].mean() < 0.2
            np.testing.assert_array_equal(after > 0, (lung > 0) | infection)


def test_a_lesion_of_the_smallest_volume_is_kept() -> None:
    """Eight voxels of 2 cubic mm are 0.016 ml."""
    lungs = np.ones((10, 20, 20), np.uint8)
    probability = np.zeros(lungs.shape, np.uint8)
    probability[2:4, 2:4, 2:4] = 255
    for smallest, kept in ((0.016, True), (0.0161, False)):
        infection, _ = infection_in_lungs(probability, lungs, 0.5, SPACING, smallest)
        assert infection.sum() == (8 if kept else 0)


@pytest.mark.parametrize("shape", [(61, 121, 160), (61, 119, 161), (59, 130, 119)])
def test_scans_need_not_have_whole_coarse_voxels(shape: tuple[int, int, int]) -> None:
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    side = np.abs(x - shape[2] / 2) - shape[2] / 4
    mask = ((z - 30) / 27) ** 2 + ((y - 60) / 45) ** 2 + (side / (shape[2] / 5)) ** 2 < 1
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), SPACING)
    np.testing.assert_array_equal(lungs > 0, mask)
    infection, after = infection_in_lungs(np.full(shape, 255, np.uint8), lungs, 0.5, SPACING, smallest_ml=0.0)
    assert infection.shape == after.shape == shape


@pytest.mark.parametrize(("first", "side"), [(14, 1), (15, 2)])
def test_a_single_lung_is_on_the_side_of_its_centre(first: int, side: int) -> None:
    """The middle of 40 columns is between columns 19 and 20."""
    mask = np.zeros((60, 30, 40), dtype=bool)
    mask[10:50, 14:16, first : first + 11] = True
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), AxialSpacing(8.0, 4.0, 4.0))
    assert set(np.unique(lungs)) == {0, side}


def test_touching_lungs_are_separated_where_their_bridge_is_narrowest() -> None:
    """The bridge from column 40 to 80 narrows towards column 70."""
    mask = np.zeros((20, 60, 120), dtype=bool)
    mask[2:18, 5:55, 5:40] = mask[2:18, 5:55, 80:115] = True
    for column in range(40, 80):
        half = 2 + abs(column - 70) // 4
        mask[10 - half : 10 + half, 30 - half : 30 + half, column] = True
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), AxialSpacing(3.0, 3.0, 3.0))
    right = np.flatnonzero((lungs == 1).any(axis=(0, 1)))
    left = np.flatnonzero((lungs == 2).any(axis=(0, 1)))
    assert 66 <= right[-1] <= 73 and 67 <= left[0] <= 74


def test_a_second_component_of_less_than_100_ml_is_not_a_lung() -> None:
    spacing = AxialSpacing(3.0, 3.0, 3.0)
    for slices, sides in ((29, {1}), (31, {1, 2})):  # 98 and 105 ml
        mask = np.zeros((40, 40, 100), dtype=bool)
        mask[2:35, 5:25, 5:25] = True  # 356 ml
        mask[2 : 2 + slices, 5:15, 60:72] = True
        lungs = lungs_from_probability((mask * 255).astype(np.uint8), spacing)
        assert set(np.unique(lungs)) - {0} == sides


@pytest.mark.parametrize(("thickness", "sides"), [(14, {1, 2}), (16, {1})])
def test_lungs_are_separated_at_a_neck_and_a_thick_lung_is_not_divided(thickness: int, sides: set[int]) -> None:
    """A neck of 42 mm separates two lungs; one of 48 mm is a part of a lung."""
    mask = np.zeros((44, 44, 100), dtype=bool)
    mask[2:42, 2:42, 2:42] = mask[2:42, 2:42, 58:98] = True
    neck = slice(22 - thickness // 2, 22 + thickness // 2)
    mask[neck, neck, 42:58] = True
    mask[2:42, 2:42, 90:98] = False  # the right lung is larger
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), AxialSpacing(3.0, 3.0, 3.0))
    assert set(np.unique(lungs)) - {0} == sides


def test_pixels_need_not_be_square() -> None:
    """Coarse voxels are two rows and one column: the radius of the closing is 3 of them."""
    spacing = AxialSpacing(3.0, 1.5, 3.0)
    for width, closed in ((12, True), (14, False)):  # 18 and 21 mm
        lung = np.zeros((1, 120, 60), np.uint8)
        lung[0, 20:100, 10:50] = 1
        lung[0, 52 : 52 + width, 10:20] = 0
        dent = (lung[0] == 0)[None] & (np.indices(lung.shape)[1] >= 20) & (np.indices(lung.shape)[1] < 100)
        dent[:, :, :10] = dent[:, :, 50:] = False
        infection, _ = infection_in_lungs((dent * 255).astype(np.uint8), lung, 0.5, spacing, smallest_ml=0.0)
        assert infection[dent].mean() > 0.7 if closed else infection[dent].mean() < 0.2


def test_the_closing_of_large_pixels_has_a_radius_of_one() -> None:
    """On pixels of 8 mm, an indentation of two pixels is closed, and one of three is not."""
    for width, closed in ((2, True), (3, False)):
        lung = np.zeros((1, 30, 30), np.uint8)
        lung[0, 5:25, 5:25] = 2
        dent = np.zeros(lung.shape, dtype=bool)
        dent[0, 12 : 12 + width, 5:15] = True
        lung[dent] = 0
        infection, after = infection_in_lungs(
            (dent * 255).astype(np.uint8), lung, 0.5, AxialSpacing(8.0, 8.0, 8.0), smallest_ml=0.0
        )
        assert infection[dent].mean() > 0.7 if closed else infection[dent].mean() < 0.2
        assert (after[infection] == 2).all()


def test_infection_in_a_strand_between_coarse_voxels_is_kept() -> None:
    """The lungs are closed on every third row, and the strands are in others."""
    lungs = np.zeros((6, 60, 60), np.uint8)
    lungs[:, 10, 10:30], lungs[:, 40, 10:30] = 1, 2
    strands = lungs > 0
    infection, after = infection_in_lungs((strands * 255).astype(np.uint8), lungs, 0.5, SPACING, smallest_ml=0.0)
    np.testing.assert_array_equal(infection, strands)
    np.testing.assert_array_equal(after, lungs)
    assert infection.dtype == bool and after.dtype == np.uint8


def test_masks_of_the_lungs_are_bytes() -> None:
    assert lungs_from_probability((two_lungs() * 255).astype(np.uint8), SPACING).dtype == np.uint8
    assert lungs_from_probability(np.zeros((4, 5, 6), np.uint8), SPACING).dtype == np.uint8


@pytest.mark.parametrize(("gap", "kept"), [(1, True), (2, False)])
def test_a_small_piece_within_6_mm_of_a_lung_belongs_to_it(gap: int, kept: bool) -> None:
    """On voxels of 3 mm. A piece that is farther away is too small to be a lung, and is removed."""
    mask = np.zeros((40, 50, 80), dtype=bool)
    mask[5:35, 5:45, 5:30] = mask[5:35, 5:45, 50:75] = True
    piece = np.s_[10:14, 10:14, 30 + gap : 32 + gap]
    mask[piece] = True
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), AxialSpacing(3.0, 3.0, 3.0))
    assert (lungs[10:14, 10:14, 30 + gap] == int(kept)).all()


def test_the_border_of_touching_lungs_crosses_a_wide_bridge_where_it_is_narrowest() -> None:
    """The bridge is narrowest beside the right lung, at column 43, and widens to the left: the border is flat there."""
    mask = np.zeros((50, 50, 112), dtype=bool)
    mask[2:48, 2:48, 2:42] = mask[2:48, 2:48, 70:110] = True
    for column in range(42, 70):
        half = 6 + int(abs(column - 43) * 0.3)
        mask[25 - half : 25 + half, 25 - half : 25 + half, column] = True
    lungs = lungs_from_probability((mask * 255).astype(np.uint8), AxialSpacing(3.0, 3.0, 3.0))
    for row in range(19, 31):
        line = lungs[25, row, 42:70]
        assert line[:1] == 1 and (line[3:] == 2).all(), row
