"""The body without table and arms, and the padding around the field of view."""

import numpy as np
import pytest
from support.phantoms import COARSE

from CovidSegLib.phantom import make_phantom
from CovidSegLib.preprocessing import AxialView, body_mask, outside_body, outside_field_of_view
from CovidSegLib.volume import AIR_HU, AxialScan, AxialSpacing, Grid

FEW_SLICES = Grid((8, 90, 90), (4.0, 4.0, 40.0), COARSE.origin)


def scan_of(sections: list[np.ndarray], pixel_mm: float = 4.0) -> AxialScan:
    """Return axial slices of tissue (40 HU) in noisy air (-1000 HU)."""
    tissue = np.stack(sections)
    air = np.random.default_rng(0).normal(-1000, 15, tissue.shape)
    return AxialScan(np.where(tissue, 40, air).astype(np.int16), AxialSpacing(5.0, pixel_mm, pixel_mm))


def trunk() -> np.ndarray:
    """Return a section through a body with two lungs, (80, 100)."""
    rows, columns = np.mgrid[:80, :100]
    body = np.hypot((rows - 35) / 25, (columns - 50) / 38) < 1
    lungs = np.hypot(rows - 35, (np.abs(columns - 50) - 18) * 1.5) < 14
    return body & ~lungs


def filled() -> np.ndarray:
    """Return the same section with filled lungs."""
    rows, columns = np.mgrid[:80, :100]
    return np.hypot((rows - 35) / 25, (columns - 50) / 38) < 1


def overlap(mask: np.ndarray, target: np.ndarray) -> float:
    """Return the intersection over union."""
    return float((mask & target).sum() / (mask | target).sum())


def test_body_mask_excludes_the_table() -> None:
    phantom = make_phantom(FEW_SLICES)
    mask = body_mask(AxialView.of(FEW_SLICES).scan(phantom.volume))
    assert mask[phantom.lungs.any(axis=0)].all()
    rows = np.flatnonzero(mask.any(axis=1))
    spine_to_back_mm = (rows[-1] - np.flatnonzero(phantom.lungs.any(axis=(0, 2)))[-1]) * 4
    assert spine_to_back_mm < 80


def test_a_thin_shell_of_the_table_is_left_out_even_if_it_touches_the_back() -> None:
    section = trunk()
    section[60:62, 5:95] = True
    mask = body_mask(scan_of([section] * 20))
    assert overlap(mask, filled()) > 0.95
    assert not mask[61:, :20].any()


@pytest.mark.parametrize(("slices_with_arms", "included"), [(3, False), (10, True)])
def test_what_few_slices_show_is_left_out(slices_with_arms: int, included: bool) -> None:
    """A quarter of the slices is enough. The arm is attached to the body, as a shoulder is."""
    with_arm = trunk()
    with_arm[30:40, 80:98] = True
    mask = body_mask(scan_of([with_arm] * slices_with_arms + [trunk()] * (20 - slices_with_arms)))
    assert mask[32:38, 92:96].all() == included
    assert mask[32:38, 92:96].any() == included


def test_the_mask_is_on_the_pixels_of_the_slices() -> None:
    """Pixels of 1.5 mm are analysed in steps of three; the last step is cut off at the edge."""
    fine = np.repeat(np.repeat(trunk(), 3, axis=0), 3, axis=1)[:239, :298]
    mask = body_mask(scan_of([fine] * 3, pixel_mm=1.4))
    assert mask.shape == fine.shape
    assert overlap(mask, np.repeat(np.repeat(filled(), 3, axis=0), 3, axis=1)[:239, :298]) > 0.95


@pytest.mark.parametrize(("thickness", "included"), [(4, False), (5, True)])
def test_a_body_is_thicker_than_16_mm(thickness: int, included: bool) -> None:
    """Opening removes what is thinner."""
    section = np.zeros((80, 100), dtype=bool)
    section[30 : 30 + thickness, 20:80] = True
    assert body_mask(scan_of([section] * 4)).any() == included


def test_air_has_no_body() -> None:
    assert not body_mask(scan_of([np.zeros((80, 100), dtype=bool)] * 4)).any()


def test_padding_is_outside_the_field_of_view_and_a_bulla_is_not() -> None:
    axial = np.full((3, 20, 20), -800, np.int16)
    axial[0, :, :4] = AIR_HU  # padding on one side
    axial[0, 8:12, 8:12] = AIR_HU  # a bulla
    axial[1] = AIR_HU  # an empty slice
    axial[2, 5:15, 5:15] = -2000  # touches no edge
    expected = np.zeros(axial.shape, bool)
    expected[0, :, :4] = expected[1] = True
    np.testing.assert_array_equal(outside_field_of_view(axial), expected)


@pytest.mark.parametrize("edge", [np.s_[0, 1:-1], np.s_[-1, 1:-1], np.s_[1:-1, 0], np.s_[1:-1, -1]])
def test_padding_may_be_on_any_side(edge: tuple[int | slice, ...]) -> None:
    section = np.full((12, 12), AIR_HU + 1, np.int16)
    section[edge] = AIR_HU
    np.testing.assert_array_equal(outside_field_of_view(section[None])[0], section == AIR_HU)


def test_each_slice_has_its_own_body() -> None:
    """The head is narrower than the trunk, and a holder surrounds it."""
    rows, columns = np.mgrid[:80, :100]
    head = np.hypot(rows - 35, columns - 50) < 15
    holder = np.abs(np.hypot(rows - 35, columns - 50) - 24) < 1.5
    outside = outside_body(scan_of([trunk(), head | (holder & (rows > 30))]))
    assert overlap(~outside[0], filled()) > 0.95
    assert overlap(~outside[1], head) > 0.95


def test_lung_is_inside_the_body_where_a_crop_leaves_no_wall() -> None:
    scan = scan_of([trunk()])
    scan.hu[0][(scan.hu[0] < -900) & filled()] = -860
    cropped = AxialScan(np.ascontiguousarray(scan.hu[:, 28:42, 20:80]), scan.spacing)
    assert not outside_body(cropped).any()


def test_dark_lung_in_a_crop_with_a_thin_wall_is_inside_the_body() -> None:
    rows, columns = np.mgrid[:80, :100]
    lung = np.hypot((rows - 40) / 38, (columns - 50) / 48) < 1
    hu = np.where(lung, -970, 40).astype(np.int16)
    hu[(np.hypot((rows - 40) / 39, (columns - 50) / 49) >= 1)] = AIR_HU
    scan = AxialScan(hu[None], AxialSpacing(5.0, 4.0, 4.0))
    np.testing.assert_array_equal(outside_body(scan), outside_field_of_view(scan.hu))


def test_padding_is_outside_the_body() -> None:
    scan = scan_of([trunk()])
    scan.hu[:, :, :40] = AIR_HU
    assert outside_body(scan)[:, :, :40].all()


@pytest.mark.parametrize("pixel_mm", [0.7, 1.4, 8.0])
def test_the_body_is_found_at_any_resolution(pixel_mm: float) -> None:
    factor = round(4.0 / pixel_mm)
    section = trunk()[::2, ::2] if pixel_mm > 4 else np.kron(trunk(), np.ones((factor, factor), bool))
    expected = filled()[::2, ::2] if pixel_mm > 4 else np.kron(filled(), np.ones((factor, factor), bool))
    outside = outside_body(scan_of([section[:-1, :-1]], pixel_mm))
    assert outside.shape == (1, *section[:-1, :-1].shape)
    assert overlap(~outside[0], expected[:-1, :-1]) > 0.93


def test_a_slice_of_air_has_no_body() -> None:
    assert outside_body(scan_of([np.zeros((80, 100), dtype=bool)])).all()
