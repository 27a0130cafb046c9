"""Segment one NIfTI file as `nnUNetv2_predict` does, with a network of ours. Runs where nnU-Net 2 is installed.

    python nnunet_child.py JOB.json

JOB.json has the paths `network` (TorchScript), `image` and `output`, and the settings `patch_size` and `spacing` (both
along slices, rows and columns), `window_hu`, `threads` and `mirroring`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

CONFIGURATION = "3d_fullres"
# One region, whose network has one output and a sigmoid. A region must have more than one label.
DATASET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "infection": [1, 2]},
    "regions_class_order": [1],
    "file_ending": ".nii.gz",
}
RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}


def plans(job: dict[str, Any]) -> dict[str, Any]:
    """Return plans as nnU-Net writes them, with the input of our network."""
    low, high = job["window_hu"]
    # Clipped, then (HU - mean) / std, which is from 0 to 1.
    intensity = {"percentile_00_5": low, "percentile_99_5": high, "mean": low, "std": high - low}
    return {
        "dataset_name": "Dataset001_CT",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {"0": intensity},
        "configurations": {
            CONFIGURATION: {
                "data_identifier": f"nnUNetPlans_{CONFIGURATION}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": job["patch_size"],
                "spacing": job["spacing"],
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": RESAMPLING,
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_seg_kwargs": RESAMPLING | {"is_seg": True, "order": 1},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": RESAMPLING | {"order": 1},
                "architecture": {},
            }
        },
    }


def main() -> None:
    """Segment the image of a job."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    network = torch.jit.load(job["network"]).eval()
    manager = PlansManager(plans(job))
    predictor = nnUNetPredictor(
        use_mirroring=job["mirroring"], perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.manual_initialization(
        network,
        manager,
        manager.get_configuration(CONFIGURATION),
        [network.state_dict()],
        DATASET,
        "nnUNetTrainer",
        (0, 1, 2),
    )
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result"
        predictor.predict_from_files_sequential([[job["image"]]], [str(result)])
        result.with_suffix(".nii.gz").replace(job["output"])


if __name__ == "__main__":
    main()
