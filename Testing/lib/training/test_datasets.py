"""Training cases, the slices and patches of the data sets, and their targets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.transforms import Compose
from support.stages import patch_stage, slice_stage
from support.tiny_case import chest_case
from support.tiny_data import write_case

from CovidSegLib.data import open_data
from CovidSegLib.errors import InputError
from CovidSegLib.inference import LoadedStage, Probabilities
from CovidSegLib.preprocessing import SliceFrame
from CovidSegLib.progress import silent
from CovidSegLib.recipe import Augmentation, Intensity, Stage
from CovidSegLib.training import predicted_lungs
from CovidSegLib.training.augmentation import AugmentationContext, augment, gamma
from CovidSegLib.training.patch_dataset import PatchDataset
from CovidSegLib.training.predicted_lungs import with_predicted_lungs
from CovidSegLib.training.sampler import EpochSampler
from CovidSegLib.training.slice_dataset import SliceDataset
from CovidSegLib.training.targets import known_slices, lung_sides, side_without_findings, target_mask
from CovidSegLib.volume import AIR_HU, AxialScan, AxialSpacing

STAGE = slice_stage(window=(-1000.0, 200.0))
#: Augmentation of the default recipe.
CHEST_CT = (Augmentation("chest-ct"),)


# The layout of COVID-19-CT-Seg


def test_cases_are_read_as_axial_slices_from_feet_to_head(tmp_path: Path) -> None:
    written = chest_case(slices=5)
    index = [{"name": f"p1_run{run}", "patient": "p1", "slices": 5} for run in (0, 1)]
    (tmp_path / "index.json").write_text(json.dumps(index))
    for entry in index:
        write_case(tmp_path, str(entry["name"]), written)
    first, second = open_data(tmp_path).cases()
    assert (first.name, second.name, first.patient) == ("p1_run0", "p1_run1", "p1")
    assert first.scan.spacing == pytest.approx(written.scan.spacing)
    np.testing.assert_array_equal(first.scan.hu, written.scan.hu)
    for name in ("lungs", "infection"):
        np.testing.assert_array_equal(getattr(first, name), getattr(written, name))
    assert first.lungs.dtype == first.infection.dtype == bool
    assert first.eight_bit
    assert first.lungs_known.all()
    assert len(first.infection_known) == 5


# Slices


@pytest.mark.parametrize("train", [True, False])
def test_slices_have_the_size_and_range_of_the_network_input(train: bool) -> None:
    stage = slice_stage(size=(32, 40), window=(-1000.0, 200.0), count=3)
    scans = [chest_case("a", 4), chest_case("b", 3, eight_bit=False)]
    data = SliceDataset(scans, stage, "infection", train, CHEST_CT)
    assert len(data) == 7
    for image, mask in (data[item] for item in range(len(data))):
        assert image.shape == (3, 32, 40)
        assert mask.shape == (1, 32, 40)
        assert image.dtype == mask.dtype == torch.float32
        assert type(image) is type(mask) is torch.Tensor
        assert 0 <= image.min() < image.max() <= 1
        assert set(mask.unique().tolist()) <= {0.0, 1.0}


def test_slices_without_augmentation_are_the_same_as_at_inference() -> None:
    case = chest_case(slices=3)
    stage = slice_stage(size=(48, 48), window=(-1000.0, 200.0), count=3, labels=("lungs",))
    data = SliceDataset([case], stage, "lungs", False, CHEST_CT)
    image, mask = data[0]
    np.testing.assert_array_equal(mask[0].numpy() > 0, case.lungs[0])
    expected = np.clip((case.scan.hu[[0, 0, 1]] + 1000) / 1200, 0, 1)  # the lowest slice is repeated below itself
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-3)
    torch.testing.assert_close(data[0][0], image, rtol=0, atol=0)


def test_slices_that_are_not_annotated_are_left_out() -> None:
    case = chest_case(slices=4)
    case.infection_known[[0, 2]] = False  # and lungs_known, which is the same array
    assert [z for _, z in SliceDataset([case], STAGE, "infection", False).index] == [1, 3]


def test_far_from_the_lungs_the_input_is_air_if_the_stage_masks_it() -> None:
    case = chest_case(slices=2)
    stage = slice_stage(size=(48, 48), window=(-1100.0, 200.0), mask_margin_mm=7.0)
    image, _ = SliceDataset([case], stage, "infection", False)[0]
    air = (AIR_HU + 1100) / 1300
    assert image[0, 0, 0] == pytest.approx(air)
    assert image[0, 24, 4] == pytest.approx(air)  # two pixels from the lung
    assert image[0, 24, 5] == pytest.approx(1140 / 1300, abs=0.1)  # one pixel, which is the margin


def test_the_seed_determines_the_augmentation() -> None:
    data = SliceDataset([chest_case()], STAGE, "infection", True, CHEST_CT)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        data.augment_eight_bit.set_random_state(seed)
        drawn.append(data[5])
    for first, again, other in zip(*drawn, strict=True):
        torch.testing.assert_close(first, again, rtol=0, atol=0)
        assert not torch.equal(first, other)


def test_without_augmentation_training_slices_equal_those_at_inference() -> None:
    training, inference = (SliceDataset([chest_case()], STAGE, "infection", train) for train in (True, False))
    for first, second in zip(training[5], inference[5], strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_grey_values_are_the_same_as_at_inference() -> None:
    stage = slice_stage(intensity=Intensity((-1000.0, 200.0), grey_levels=8, zscore=True))
    image, _ = SliceDataset([chest_case()], stage, "infection", False)[5]
    assert len(image.unique()) <= 8
    assert image.mean() == pytest.approx(0, abs=0.2)


# Targets


def test_exclusive_labels_make_a_class_mask() -> None:
    """The infection wins over the lung, and each lung lies on its side."""
    case = chest_case()
    stage = slice_stage(labels=("background", "left_lung", "right_lung", "infection"))
    (classes,) = target_mask(case, stage)
    np.testing.assert_array_equal(classes == 3, case.infection)
    np.testing.assert_array_equal(classes > 0, case.lungs)
    right_of_the_middle = np.arange(48) < 24
    assert not (classes[:, :, right_of_the_middle] == 1).any()
    assert not (classes[:, :, ~right_of_the_middle] == 2).any()


def test_the_sides_of_the_data_set_are_used() -> None:
    """Even where they contradict the position, as the labels of an expert may."""
    case = chest_case()
    left = np.arange(48) < 24
    masks = {**case.masks, "left_lung": case.lungs & left, "right_lung": case.lungs & ~left}
    stage = slice_stage(labels=("background", "left_lung", "right_lung", "infection"))
    (classes,) = target_mask(replace(case, masks=masks), stage)
    assert not (classes[:, :, left] == 2).any() and (classes[:, :, left] == 1).any()
    np.testing.assert_array_equal(
        side_without_findings(replace(case, masks=masks), "left_lung"), masks["left_lung"] & ~case.infection
    )


def test_other_labels_make_binary_masks() -> None:
    case = chest_case()
    lungs, infection = target_mask(case, slice_stage(labels=("lungs", "infection")))
    np.testing.assert_array_equal(lungs, case.lungs)
    np.testing.assert_array_equal(infection, case.infection)


def test_a_small_lung_mask_is_split_at_the_middle() -> None:
    """Every voxel of the lungs has a side, even in the smallest pieces."""
    tiny = chest_case(slices=1)
    scan = AxialScan(tiny.scan.hu, AxialSpacing(1.0, 1.0, 1.0))
    sides = lung_sides(replace(tiny, masks={"lungs": tiny.lungs & (np.arange(48) % 7 == 0)}, scan=scan))
    assert set(np.unique(sides[..., :24])) == {0, 1} and set(np.unique(sides[..., 24:])) == {0, 2}
    speck = chest_case()
    speck.lungs[0, 2:4, 2:4] = True
    sides = lung_sides(speck)
    np.testing.assert_array_equal(sides > 0, speck.lungs)
    assert (sides[0, 2:4, 2:4] == 1).all()


def test_the_labels_determine_which_slices_must_be_annotated() -> None:
    known = {"lungs": np.array([True, True, False]), "infection": np.array([True, False, True])}
    case = replace(chest_case(slices=3), known=known)
    for labels, known in ((("lungs",), [0, 1]), (("infection",), [0, 2]), (("background", "lungs", "infection"), [0])):
        assert np.flatnonzero(known_slices(case, slice_stage(labels=labels))).tolist() == known


def test_a_label_without_mask_is_reported() -> None:
    with pytest.raises(InputError, match='"a" has no mask of the label "tumour"'):
        SliceDataset([chest_case()], slice_stage(labels=("background", "tumour")), "infection", True)


def test_tumours_are_targets_like_infections() -> None:
    case = chest_case()
    case = replace(case, masks={"tumour": case.infection}, known={"tumour": case.infection_known})
    (classes,) = target_mask(case, slice_stage(labels=("background", "tumour")))
    np.testing.assert_array_equal(classes == 1, case.masks["tumour"])
    assert not case.lungs.any() and not case.lungs_known.any()


@pytest.mark.parametrize("stage", [slice_stage(region="lungs"), slice_stage(mask_margin_mm=7.0)])
def test_a_missing_lung_mask_is_reported_if_the_stage_looks_within_the_lungs(stage: Stage) -> None:
    case = chest_case()
    case = replace(case, masks={"infection": case.infection})
    with pytest.raises(
        InputError, match=r'"a" has no lung mask, but the recipe looks within the lungs\. Leave the scan out'
    ):
        SliceDataset([case], stage, "infection", True)


# Patches


def test_patches_have_the_size_of_the_network_input_and_match_their_masks() -> None:
    """Infection is bright and lung is dark."""
    stage = patch_stage(size=(6, 20, 20), window=(-1000.0, 200.0))
    data = PatchDataset([chest_case("a"), chest_case("b", 8)], stage, "infection")
    assert len(data) == 2 * 3 * 3 + 2 * 3 * 3
    torch.manual_seed(0)
    samples = [data[item] for item in range(20)]
    for image, mask in samples:
        assert image.shape == mask.shape == (1, 6, 20, 20)
        assert image.dtype == mask.dtype == torch.float32
        lung = (image < 0.3).float()
        assert (lung * mask).sum() == 0
    assert sum(float(mask.sum()) for _, mask in samples) > 0
    assert len({float(image.sum()) for image, _ in samples}) > 10  # from different positions


def test_the_recipe_sets_the_fraction_of_patches_with_foreground() -> None:
    """By chance, few patches contain infection. It lies anywhere in the patches that contain it."""
    size = (4, 10, 10)
    cases = [chest_case("a"), chest_case("b", 8)]
    fractions = {}
    for share in (0.0, 0.5, 1.0):
        data = PatchDataset(cases, patch_stage(size=size, patches={"foreground": share}), "infection")
        torch.manual_seed(0)
        masks = [data[item][1][0] for item in range(200)]
        fractions[share] = sum(bool(mask.any()) for mask in masks) / 200
    assert fractions[0.0] < 0.5 and fractions[1.0] == 1.0
    assert abs(fractions[0.5] - (fractions[0.0] + 1) / 2) < 0.1
    assert all(any(mask[z].any() for mask in masks) for z in (0, size[0] - 1))
    assert any(not mask[0].any() for mask in masks) and any(not mask[-1].any() for mask in masks)


def test_scans_without_foreground_are_drawn_evenly() -> None:
    case = chest_case()
    case.infection[:] = False
    data = PatchDataset([case], patch_stage(patches={"foreground": 1.0}), "infection")
    assert not data[0][1].any()


def test_a_scan_smaller_than_a_patch_is_padded_with_air() -> None:
    data = PatchDataset([chest_case(slices=4)], patch_stage(size=(10, 60, 60), window=(-1100.0, 200.0)), "infection")
    assert len(data) == 1
    image, mask = data[0]
    assert np.isclose(image[0, :3], (AIR_HU + 1100) / 1300).all()
    assert not mask[0, :3].any() and mask[0, 3:7].any()
    assert np.isclose(image[0, 3:7, :6], (AIR_HU + 1100) / 1300).all()


def test_patches_lie_within_runs_of_annotated_slices() -> None:
    """Two runs of at least two slices. A single annotated slice is left out."""
    case = chest_case(slices=9)
    case.infection_known[[2, 4]] = False
    data = PatchDataset([case], patch_stage(), "infection")
    assert [scan.pixels.shape[0] for scan in data.scans] == [2, 4]


def test_patches_of_a_masking_stage_show_only_the_lungs() -> None:
    case = chest_case()
    stage = patch_stage(size=(12, 48, 48), window=(-1100.0, 200.0), mask_margin_mm=0.0)
    image, _ = PatchDataset([case], stage, "infection")[0]
    assert np.isclose(image[0].numpy()[~case.lungs], (AIR_HU + 1100) / 1300).all()
    assert (image[0].numpy()[case.lungs] > 0.1).all()


# The slices of CHS-Net


def test_dark_slices_are_left_out() -> None:
    """Section 4.1 of CHS-Net: "slices with just black or dark pixels"."""
    case = chest_case(slices=6)
    dark = case.scan.hu.copy()
    dark[[0, 5]] = -1000
    dark[3, :4] = -1000  # only a part
    case = replace(case, scan=AxialScan(dark, case.scan.spacing))
    for skip, expected in ((True, [1, 2, 3, 4]), (False, list(range(6)))):
        data = SliceDataset([case], STAGE, "infection", True, skip_dark=skip)
        assert [z for _, z in data.index] == expected


def test_both_data_sets_are_drawn_as_often() -> None:
    """Section 4.2 of CHS-Net: "the distribution of the samples is kept 1:1 from both the datasets"."""
    names = ["coronacases_001", "radiopaedia_10_85902_1", "medseg_1"]
    data = SliceDataset([chest_case(name, slices=4) for name in names], STAGE, "infection", True)
    shares = data.data_set_shares
    assert shares[:8].sum() == pytest.approx(float(shares[8:].sum()))
    drawn = [item for batch in EpochSampler(12, 4, 6, 0, weights=shares) for item, _ in batch]
    assert sum(item >= 8 for item in drawn) == 12


def test_slices_can_be_stretched() -> None:
    """A wide slice fills the square input, and predictions return to their places."""
    case = chest_case()
    wide = replace(case, scan=AxialScan(case.scan.hu[:, :24], case.scan.spacing),
                   masks={name: mask[:, :24] for name, mask in case.masks.items()})  # fmt: skip
    kept, stretched = (
        SliceDataset([wide], slice_stage(size=(32, 32), stretch=stretch), "infection", False)[5][0]
        for stretch in (False, True)
    )
    assert (kept[0, 0] == 0).all() and not (stretched[0, 0] == 0).all()  # air above the wide slice
    frame = SliceFrame.around(np.ones((24, 48), bool), (7.0, 7.0), (32, 32), 0.0, stretch=True)
    assert (frame.height, frame.width) == (24, 48)
    output = np.zeros((1, 24, 48), np.uint8)
    frame.insert(torch.ones(1, 32, 32), output)
    assert (output == 255).all()


def test_the_infection_can_be_trained_within_predicted_lungs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lungs are those that the pipeline would use; the infection stays."""
    case = chest_case(slices=40)
    smaller = case.lungs & (np.arange(48) < 24)  # one lung
    predicted = Probabilities(lungs=(smaller * 255).astype(np.uint8))
    monkeypatch.setattr(predicted_lungs, "predict", lambda *_: predicted)
    (changed,) = with_predicted_lungs([case], LoadedStage(STAGE, torch.nn.Identity()), silent)
    assert (changed.lungs & smaller).sum() > 0.9 * smaller.sum() and not changed.lungs[..., 24:].any()
    np.testing.assert_array_equal(changed.infection, case.infection)


# Augmentation after the z-score


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("name", "options"), [("noise", {"deviation": 0.1}), ("brightness", {}), ("contrast", {})])
def test_values_are_augmented_on_the_scale_of_the_z_score(dims: int, name: str, options: dict) -> None:
    """MIScnn and nnU-Net normalise first: noise of 0.1 is a tenth of the scan's deviation, not of the window.

    The window of 12000 HU is ten times as wide as the deviation of the scan, so that the two differ.
    """
    intensity = Intensity((-6000.0, 6000.0), zscore=True)
    entry = (Augmentation(name, options),)
    case = replace(chest_case(slices=8), eight_bit=True)
    data, plain = (
        SliceDataset([case], slice_stage(size=(48, 48), intensity=intensity), "infection", True, augmentation)
        if dims == 2
        else PatchDataset([case], patch_stage(size=(8, 48, 48), intensity=intensity), "infection", augmentation)
        for augmentation in (entry, ())
    )
    data.augment_grey.set_random_state(0)
    images = [(data[0][0], plain[0][0]) for _ in range(12)]
    change = max(float((changed - image).std()) for changed, image in images)
    assert max(float(image.std()) for _, image in images) == pytest.approx(1, abs=0.2)
    if name == "noise":
        assert 0.06 < change < 0.102  # in the window's scale it would be up to 1
    else:  # the mean of the scan is 0, which no factor changes
        assert abs(float(torch.stack([changed.mean() - image.mean() for changed, image in images]).mean())) < 0.2
        assert change > 0.2


def test_gamma_can_keep_mean_and_deviation() -> None:
    image = torch.from_numpy(np.random.default_rng(0).gamma(2, size=(1, 32, 32)))
    for retain, same in ((True, True), (False, False)):
        transform = gamma(AugmentationContext(slice_stage(), 1.0), gamma=(1.9, 2.0), retain_stats=retain)
        changed, _ = augment(Compose([transform]), image, torch.zeros(1, 32, 32))
        assert not torch.allclose(changed, image, atol=0.1)
        assert (abs(float(changed.mean() - image.mean())) < 0.01) is same
