"""Measure a model: `python -m CovidSegLib.evaluation --data DIR [--model NAME] [--out FILE.json]`.

Dice of lungs and infection by patient on COVID-19-CT-Seg (whole volumes through `pipeline.segment`), and on the whole
scans of COVID-CT-MD the slices found infected against the radiologists' labels, and infection in % of the lungs.
Single slices are no volumes, so runs of one slice are left out.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .. import models
from ..pipeline import segment
from ..preprocessing import AxialView
from ..reading import read_volume
from ..volume import Volume
from .overlap import Counts


def main() -> None:
    """Print the tables as Markdown, and write the numbers as JSON."""
    parser = argparse.ArgumentParser(prog="python -m CovidSegLib.evaluation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of covid19_ct_seg_hu and covid_ct_md")
    parser.add_argument("--model", help="name of an installed model")
    parser.add_argument("--patients", nargs="*", help="only these patients; all that the model never saw if left out")
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    parser.add_argument("--card", action="store_true", help="put the numbers into the model's card")
    options = parser.parse_args()
    model = models.find(options.model)
    patients = model.card["never_trained_on"] if options.patients is None else options.patients
    results = {
        "masks": evaluate_masks(options.data / "covid19_ct_seg_hu", model, patients),
        "whole_scans": evaluate_whole_scans(options.data / "covid_ct_md", model),
    }
    print(_markdown(results, model))
    if options.out:
        options.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    if options.card:
        card = {**model.card, "results": results}
        (model.folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def evaluate_masks(folder: Path, model: models.Model, patients: list[str]) -> dict[str, Any]:
    """Dice of lungs and infection, by patient."""
    overlaps: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        if entry["patient"] not in patients or entry["slices"] < 2:
            continue
        ct, lungs, infection = (
            Volume.of_image(sitk.ReadImage(str(folder / f"{entry['name']}_{kind}.nii.gz")))
            for kind in ("ct", "lung", "infection")
        )
        found = segment(ct, model)
        overlaps[entry["patient"]]["lungs"] += Counts.of(found.lungs > 0, lungs.array > 0)
        overlaps[entry["patient"]]["infection"] += Counts.of(found.infection, infection.array > 0)
    return {patient: {name: round(o.dice, 4) for name, o in by.items()} for patient, by in overlaps.items()}


def evaluate_whole_scans(folder: Path, model: models.Model, scans: Collection[str] | None = None) -> dict[str, Any]:
    """Slice-level sensitivity and specificity, and involvement, by scan; slices are counted as labels.json does.

    Args:
        folder: COVID-CT-MD: a folder a scan, and labels.json.
        model: What is measured.
        scans: Only these; all of them if None.
    """
    results = {}
    for name, facts in json.loads((folder / "labels.json").read_text(encoding="utf-8"))["cases"].items():
        if scans is not None and name not in scans:
            continue
        volume = read_volume(folder / name)
        found = segment(volume, model)
        view = AxialView.of(volume.grid)
        from_head = np.flip(view.apply(found.infection).any(axis=(1, 2)))
        true = np.zeros(len(from_head), dtype=bool)
        true[facts["infected_slices"]] = True
        slices = Counts.of(from_head, true)
        sensitivity, specificity = slices.sensitivity, slices.specificity
        results[name] = {
            "diagnosis": facts["diagnosis"],
            "sensitivity": None if np.isnan(sensitivity) else round(sensitivity, 3),
            "specificity": None if np.isnan(specificity) else round(specificity, 3),
            "involvement_percent": round(100 * float(found.infection.sum()) / float((found.lungs > 0).sum()), 3),
            "lungs_ml": round(float((found.lungs > 0).sum()) * volume.grid.voxel_ml),
        }
    return results


def _markdown(results: dict[str, Any], model: models.Model) -> str:
    seen = set(model.card["trained_on"])
    lines = ["| patient | lungs, Dice | infection, Dice | seen in training |", "| --- | --- | --- | --- |"]
    masks = results["masks"]
    for patient, dice in sorted(masks.items()):
        yes = "yes" if patient in seen else "no"
        lines.append(f"| {patient} | {dice['lungs']:.3f} | {dice['infection']:.3f} | {yes} |")
    if masks:
        means = [float(np.mean([dice[key] for dice in masks.values()])) for key in ("lungs", "infection")]
        lines.append(f"| mean | {means[0]:.3f} | {means[1]:.3f} | |")
    lines += ["", "| scan | slices: sensitivity | specificity | infection, % of lungs | lungs, ml | seen in training |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, row in results["whole_scans"].items():
        cells = (row["sensitivity"], row["specificity"], row["involvement_percent"], row["lungs_ml"])
        yes = "its clean slices" if name in seen else "no"
        lines.append(f"| {name} | " + " | ".join("-" if cell is None else str(cell) for cell in cells) + f" | {yes} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
