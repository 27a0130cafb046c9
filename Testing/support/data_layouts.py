"""A tiny chest, written in the layout of each data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from support.tiny_case import chest_case

CHEST = chest_case()
NONE = np.zeros(CHEST.scan.hu.shape, np.uint8)
LUNGS = CHEST.lungs.astype(np.uint8)
#: Labels 1 and 2 for the two lungs.
SIDES = LUNGS * np.where(np.arange(48) < 24, 2, 1).astype(np.uint8)
INFECTION = CHEST.infection.astype(np.uint8)
#: The chest as an eight-bit image of -1250 to 250 HU, and the HU that are restored from it.
GREY = np.clip(np.rint((CHEST.scan.hu + 1250.0) * 255 / 1500), 0, 255).astype(np.uint8)
RESTORED = np.rint(GREY * np.float32(1500 / 255) - 1250)


def write(
    file: Path, array: np.ndarray, spacing: tuple[float, float, float] = (7.0, 7.0, 3.0), at: float = 5.0
) -> None:
    """Write an image from head to feet, as scanners do; `array` runs from feet to head."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array[::-1]))
    image.SetSpacing(spacing)
    image.SetOrigin((at, -3.0, 40.0))
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, -1))
    sitk.WriteImage(image, str(file))


def covid19_ct_seg_hu(folder: Path) -> None:
    for name in ("radiopaedia_29_86490_1_run0", "coronacases_001_run0"):
        for kind, array in (("ct", CHEST.scan.hu), ("lung", LUNGS), ("infection", INFECTION)):
            write(folder / f"{name}_{kind}.nii.gz", array)
    index = [
        {"name": "radiopaedia_29_86490_1_run0", "patient": "radiopaedia_29_86490_1", "slices": 12},
        {"name": "coronacases_001_run0", "patient": "coronacases_001", "slices": 12},
    ]
    (folder / "index.json").write_text(json.dumps(index))


def medseg_slices(folder: Path) -> None:
    classes = INFECTION * np.where(np.arange(48) < 13, 1, 2).astype(np.uint8)
    for kind, array in (("ct", CHEST.scan.hu), ("lung", LUNGS), ("infection", INFECTION), ("classes", classes)):
        write(folder / f"medseg_003_{kind}.nii.gz", array)
    index = [{"name": "medseg_003", "patient": "medseg_group00", "slices": 12, "ground_glass_voxels": 1}]
    (folder / "index.json").write_text(json.dumps(index))


def whole_scans(folder: Path) -> None:
    """Two scans; one has a mask with the labels of TotalSegmentator."""
    for name in ("a", "b"):
        write(folder / f"{name}_ct.nii.gz", CHEST.scan.hu)
    write(folder / "b_lungs.nii.gz", np.where(SIDES == 1, 10, np.where(SIDES == 2, 14, 51)).astype(np.uint8))
    index = [
        {"name": "a", "content": "normal lungs", "lungs": None},
        {"name": "b", "content": "a nodule", "lungs": "mask.nii.gz"},
    ]
    (folder / "index.json").write_text(json.dumps(index))


def zenodo(folder: Path) -> None:
    for name in ("coronacases_001", "radiopaedia_10_85902_1", "radiopaedia_10_85902_3"):
        write(folder / "COVID-19-CT-Seg_20cases" / f"{name}.nii.gz", CHEST.scan.hu if name[0] == "c" else GREY)
        write(folder / "Lung_Mask" / f"{name}.nii.gz", SIDES)
        write(folder / "Infection_Mask" / f"{name}.nii.gz", INFECTION)


def zenodo_in_one(folder: Path) -> None:
    write(folder / "COVID-19-CT-Seg_20cases" / "coronacases_001.nii.gz", CHEST.scan.hu)
    write(folder / "Lung_and_Infection_Mask" / "coronacases_001.nii.gz", np.where(INFECTION, 3, SIDES).astype(np.uint8))


def kaggle(folder: Path) -> None:
    rows = [
        ("coronacases_org_001.nii", "coronacases_001.nii", CHEST.scan.hu),
        ("radiopaedia_org_covid-19-pneumonia-10_85902_0-dcm.nii", "radiopaedia_10_85902_0.nii", GREY),
    ]
    columns = ("ct_scan", "lung_mask", "infection_mask", "lung_and_infection_mask")
    for ct, mask, axial in rows:
        write(folder / "ct_scans" / ct, axial.astype(np.float64))
        write(folder / "lung_mask" / mask, SIDES.astype(np.float64))
        write(folder / "infection_mask" / mask, INFECTION)
        write(folder / "lung_and_infection_mask" / mask, np.where(INFECTION, 3, SIDES).astype(np.uint8))
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for ct, mask, _ in rows:
            of = [("ct_scans", ct), *((name, mask) for name in columns[1:])]
            table.writerow([f"../input/covid19-ct-scans/{where}/{name}" for where, name in of])


def medseg(folder: Path) -> None:
    write(folder / "rp_im" / "1.nii.gz", CHEST.scan.hu)
    write(folder / "rp_lung_msk" / "1.nii.gz", LUNGS)
    lesions = INFECTION * np.where(np.arange(48) < 13, 1, 2).astype(np.uint8)
    lesions[0, 0, 0] = 3
    write(folder / "rp_msk" / "1.nii.gz", lesions)


def msd_lung(folder: Path) -> None:
    for name in ("lung_001", "._lung_001"):
        write(folder / "imagesTr" / f"{name}.nii.gz", CHEST.scan.hu)
        write(folder / "labelsTr" / f"{name}.nii.gz", INFECTION)
    write(folder / "imagesTs" / "lung_002.nii.gz", CHEST.scan.hu)
    (folder / "dataset.json").write_text(json.dumps({"name": "Lung", "labels": {"0": "background", "1": "cancer"}}))


def covid_19_20(folder: Path) -> None:
    write(folder / "volume-covid19-A-0003_ct.nii.gz", CHEST.scan.hu)
    write(folder / "volume-covid19-A-0003_seg.nii.gz", INFECTION)


def mosmed(folder: Path) -> None:
    write(folder / "studies" / "CT-1" / "study_0255.nii.gz", CHEST.scan.hu)
    write(folder / "studies" / "CT-0" / "study_0001.nii.gz", CHEST.scan.hu)
    write(folder / "masks" / "study_0255_mask.nii.gz", INFECTION)


def nnunet(folder: Path) -> None:
    write(folder / "imagesTr" / "covid_007_0000.nii.gz", CHEST.scan.hu.astype(np.float32))
    write(folder / "labelsTr" / "covid_007.nii.gz", np.where(INFECTION, 3, SIDES).astype(np.uint8))
    labels = {"background": 0, "left lung": 1, "right lung": 2, "COVID infection": 3, "heart": 4}
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT"}, "labels": labels}))


def nnunet_version_1(folder: Path) -> None:
    nnunet(folder)
    labels = {"0": "background", "1": "lung", "2": "lung_right", "3": "lesion"}
    (folder / "dataset.json").write_text(json.dumps({"modality": {"0": "CT"}, "labels": labels}))


def pairs(folder: Path) -> None:
    write(folder / "images" / "a.nrrd", CHEST.scan.hu)
    write(folder / "masks" / "a.nii.gz", INFECTION * np.uint8(255))


def pairs_in_one(folder: Path) -> None:
    write(folder / "a.nii.gz", CHEST.scan.hu)
    write(folder / "a_infection.nii.gz", INFECTION)
    write(folder / "a_lung.nii.gz", LUNGS)


#: Name of the layout, structures, and patients by scan, by the function that writes it.
#: Structures where the sides of the lungs are labelled.
WITH_SIDES = {"lungs", "right_lung", "left_lung", "infection"}
WRITERS: dict[Callable[[Path], None], tuple[str, set[str], dict[str, str]]] = {
    covid19_ct_seg_hu: (
        "covid19_ct_seg_hu",
        {"lungs", "infection"},
        {
            "radiopaedia_29_86490_1_run0": "radiopaedia_29_86490_1",
            "coronacases_001_run0": "coronacases_001",
        },
    ),
    medseg_slices: (
        "medseg_slices",
        {"lungs", "infection", "ground_glass", "consolidation"},
        {"medseg_003": "medseg_group00"},
    ),
    zenodo: (
        "zenodo",
        WITH_SIDES,
        {
            "coronacases_001": "coronacases_001",
            "radiopaedia_10_85902_1": "radiopaedia_10",
            "radiopaedia_10_85902_3": "radiopaedia_10",
        },
    ),
    zenodo_in_one: ("zenodo", WITH_SIDES, {"coronacases_001": "coronacases_001"}),
    kaggle: (
        "kaggle",
        WITH_SIDES,
        {"coronacases_001": "coronacases_001", "radiopaedia_10_85902_0": "radiopaedia_10"},
    ),
    medseg: ("medseg", {"lungs", "infection"}, {"medseg_1": "medseg_1"}),
    msd_lung: ("msd_lung", {"tumour"}, {"lung_001": "lung_001"}),
    covid_19_20: ("covid_19_20", {"infection"}, {"volume-covid19-A-0003": "volume-covid19-A-0003"}),
    mosmed: ("mosmed", {"infection"}, {"study_0255": "study_0255"}),
    nnunet: ("nnunet", WITH_SIDES, {"covid_007": "covid_007"}),
    nnunet_version_1: ("nnunet", {"lungs", "infection"}, {"covid_007": "covid_007"}),
    pairs: ("pairs", {"infection"}, {"a": "a"}),
    pairs_in_one: ("pairs", {"lungs", "infection"}, {"a": "a"}),
}
