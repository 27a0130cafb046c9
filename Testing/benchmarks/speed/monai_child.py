"""Segment one NIfTI file as MONAI's bundles do: transforms, sliding window, inverse transforms. Whole slices, no crop.

    python monai_child.py JOB.json

JOB.json is that of `nnunet_child.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from monai.data import Dataset
from monai.inferers.utils import sliding_window_inference
from monai.transforms import (
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    SaveImaged,
    ScaleIntensityRanged,
    Spacingd,
)

OVERLAP = 0.5


def main() -> None:
    """Segment the image of a job."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    network = torch.jit.load(job["network"]).eval()
    low, high = job["window_hu"]
    before = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            Spacingd("image", pixdim=job["spacing"][::-1], mode="bilinear"),
            ScaleIntensityRanged("image", low, high, 0.0, 1.0, clip=True),
        ]
    )
    after = Compose(
        [
            Invertd("probability", before, orig_keys="image", nearest_interp=False, to_tensor=True),
            AsDiscreted("probability", threshold=0.5),
            SaveImaged(
                "probability", output_dir=str(Path(job["output"]).parent), output_postfix="monai", print_log=False
            ),
        ]
    )
    data = Dataset([{"image": job["image"]}], before)[0]
    with torch.inference_mode():
        # The axes of a NIfTI file are columns, rows and slices; those of the network are slices, rows and columns.
        logits = sliding_window_inference(
            data["image"][None],
            job["patch_size"][::-1],
            1,
            lambda patch: network(patch.permute(0, 1, 4, 3, 2)).permute(0, 1, 4, 3, 2),
            overlap=OVERLAP,
            mode="gaussian",
        )
    data["probability"] = torch.sigmoid(logits[0])
    after(data)


if __name__ == "__main__":
    main()
