"""Two CTs are compared: lesions, places, zones, coverage, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from support.follow_ups import FIRST, GRID, SECOND, box, compared, current, earlier, time_point, without_registration

from CovidSegLib.errors import Cancelled, InputError
from CovidSegLib.followup import TimePoint, follow_up
from CovidSegLib.volume import Grid, Volume

#: Volume of a lesion of 4 voxels in each direction, and of one of 5.
SMALL_ML, LARGE_ML = 64 * 0.008, 125 * 0.008


def moved(point: TimePoint, shift: tuple[float, float, float]) -> TimePoint:
    """The same CT elsewhere on the table."""
    origin = tuple(a + b for a, b in zip(point.volume.grid.origin, shift, strict=True))
    grid = replace(point.volume.grid, origin=origin)
    return replace(
        point,
        volume=Volume(point.volume.array, grid, point.volume.source),
        segmentation=replace(point.segmentation, grid=grid),
    )


def cropped(point: TimePoint, slices: slice) -> TimePoint:
    """A CT that shows only some slices."""
    grid = point.volume.grid
    array = point.volume.array[slices]
    origin = (*grid.origin[:2], grid.origin[2] + (slices.start or 0) * grid.spacing.z)
    grid = Grid(array.shape, grid.spacing, origin, grid.direction)
    masks = point.segmentation
    segmentation = replace(
        masks,
        lungs=masks.lungs[slices],
        infection=masks.infection[slices],
        probability=masks.probability[slices],
        grid=grid,
    )
    return TimePoint(Volume(array, grid, point.volume.source), segmentation, point.date)


def test_lesions_and_places(monkeypatch: pytest.MonkeyPatch) -> None:
    follow = compared(monkeypatch)
    assert follow.days == 31 and follow.warnings == ()
    found = {
        lesion.change: (place.lung, place.zone, lesion.prior_ml, lesion.current_ml)
        for lesion, place in zip(follow.comparison.lesions, follow.places, strict=True)
    }
    assert found == {
        "stable": ("right", "lower", pytest.approx(SMALL_ML), pytest.approx(SMALL_ML)),
        "grown": ("left", "middle", pytest.approx(SMALL_ML), pytest.approx(LARGE_ML)),
        "new": ("left", "upper", 0, pytest.approx(SMALL_ML)),
        "resolved": ("right", "upper", pytest.approx(SMALL_ML), 0),
    }
    assert follow.covered_percent == 100
    np.testing.assert_array_equal(follow.prior_volume.array, earlier().volume.array)
    np.testing.assert_array_equal(follow.prior_lungs, earlier().segmentation.lungs)


def test_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    regions = {region.name: region for region in compared(monkeypatch).regions}
    assert len(regions) == 9
    both = regions["both lungs"]
    assert both.prior.infection_ml == pytest.approx(3 * SMALL_ML)
    assert both.current.infection_ml == pytest.approx(2 * SMALL_ML + LARGE_ML)
    assert both.current.involvement_percent == pytest.approx(100 * both.current.infection_ml / both.current.volume_ml)
    assert regions["right upper zone"].prior.infection_ml == pytest.approx(SMALL_ML)
    assert regions["right upper zone"].current.infection_ml == 0
    for lung in ("right", "left"):
        zones = [regions[f"{lung} {zone} zone"].prior for zone in ("upper", "middle", "lower")]
        assert sum(zone.volume_ml for zone in zones) == pytest.approx(regions[f"{lung} lung"].prior.volume_ml)
        assert sum(zone.infection_ml for zone in zones) == pytest.approx(regions[f"{lung} lung"].prior.infection_ml)


def test_a_prior_elsewhere_on_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    shift = (40.0, -60.0, 120.0)
    without_registration(monkeypatch, sitk.TranslationTransform(3, shift))
    follow = follow_up(current(), moved(earlier(), shift))
    expected = compared(monkeypatch)
    assert [lesion.change for lesion in follow.comparison.lesions] == [
        lesion.change for lesion in expected.comparison.lesions
    ]
    np.testing.assert_array_equal(follow.prior_volume.array, earlier().volume.array)
    for region, same in zip(follow.regions, expected.regions, strict=True):
        assert region.prior.infection_ml == pytest.approx(same.prior.infection_ml)


def test_zones_are_those_of_the_current_ct_where_the_prior_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prior CT without its lowest slices would have other thirds of its own."""
    without_registration(monkeypatch)
    regions = {region.name: region for region in follow_up(current(), cropped(earlier(), slice(8, None))).regions}
    assert regions["left middle zone"].prior.infection_ml == pytest.approx(SMALL_ML)
    assert regions["left lower zone"].prior.volume_ml == 0
    assert regions["left lower zone"].prior.involvement_percent is None


def test_what_the_other_ct_does_not_show_has_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    without_registration(monkeypatch)
    low = follow_up(current(), cropped(earlier(), slice(8, None)))
    assert [lesion.change for lesion in low.comparison.lesions].count("not covered") == 1
    assert any("earlier CT shows only 67 %" in warning for warning in low.warnings)
    high = follow_up(cropped(current(), slice(0, 17)), earlier())
    changes = {lesion.change: place for lesion, place in zip(high.comparison.lesions, high.places, strict=True)}
    assert changes["not covered"].lung is None and "resolved" not in changes


def test_days_that_are_given_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, days=7).days == 7
    assert follow_up(current(None), earlier()).days is None
    assert follow_up(current(FIRST), earlier(SECOND), days=3).days == 3


@pytest.mark.parametrize(
    ("now", "before", "message"),
    [
        (current(), current(), "are the same"),
        (current(FIRST), earlier(SECOND), "31 days after the other. Exchange them"),
    ],
    ids=["same", "exchanged"],
)
def test_cts_that_cannot_be_compared(
    monkeypatch: pytest.MonkeyPatch, now: TimePoint, before: TimePoint, message: str
) -> None:
    without_registration(monkeypatch)
    with pytest.raises(InputError, match=message):
        follow_up(now, before)


@pytest.mark.parametrize("side", ["current", "earlier"])
def test_lungs_are_needed(side: str) -> None:
    points = {"current": current(), "earlier": earlier()}
    masks = points[side].segmentation
    points[side] = replace(points[side], segmentation=replace(masks, lungs=np.zeros_like(masks.lungs)))
    with pytest.raises(InputError, match=f"The {side} CT has no lungs"):
        follow_up(points["current"], points["earlier"])


def test_lungs_that_do_not_correspond_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    without_registration(monkeypatch, dice=0.55)
    with pytest.raises(InputError, match=r"do not correspond \(Dice 0.55\)"):
        follow_up(current(), earlier())


def test_it_can_be_cancelled_at_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    fractions: list[float] = []
    compared(monkeypatch, progress=lambda stage, fraction: fractions.append(fraction))
    assert fractions == sorted(fractions) and len(fractions) >= 3
    for last in fractions:

        def stop(stage: str, fraction: float, last: float = last) -> None:
            if fraction >= last:
                raise Cancelled

        with pytest.raises(Cancelled):
            follow_up(current(), earlier(), progress=stop)


def test_the_fingerprint_tells_cts_apart() -> None:
    point = earlier()
    assert point.fingerprint == time_point(point.segmentation.infection).fingerprint
    assert point.fingerprint != current().fingerprint
    as_float = replace(point, volume=replace(point.volume, array=point.volume.array.astype(np.float32)))
    assert as_float.fingerprint == point.fingerprint
    assert time_point(box(2, 8, 6)).fingerprint != point.fingerprint
    assert GRID.voxel_ml == 0.008
