"""Run everything that needs a GPU once, in under ten minutes: speed, memory, and parity with the CPU.

    python Testing/benchmarks/gpu.py [--scan CT] [--recipes NAME ...]

The default model is run cold and warm and compared with the CPU. The published three-dimensional recipes are run at
full width with untrained networks, for speed and memory. Batches must shrink when memory runs out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parent)]

from speed.in_process import dice  # noqa: E402

from CovidSegLib.errors import GpuMemoryError  # noqa: E402
from CovidSegLib.inference.engines.torch_engine import TorchNetwork  # noqa: E402
from CovidSegLib.models import Model  # noqa: E402
from CovidSegLib.models.untrained import untrained_model  # noqa: E402
from CovidSegLib.pipeline import segment  # noqa: E402
from CovidSegLib.reading import read_volume  # noqa: E402
from CovidSegLib.segmentation import Segmentation  # noqa: E402
from CovidSegLib.volume import Volume  # noqa: E402

DATA = Path(os.environ.get("COVIDSEG_DATA") or REPOSITORY.parent / "data") / "covid_ct_md"
RECIPES = ("qc-hc-unet", "ra-unet", "covid-segnet", "fv-paspp-ds-unet")


def timed(volume: Volume, model: Model | None) -> tuple[dict[str, float], Segmentation]:
    """Segment on the GPU, and measure seconds and the peak of its memory."""
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    result = segment(volume, model, device="cuda")
    torch.cuda.synchronize()
    seconds = round(time.perf_counter() - started, 2)
    return {"seconds": seconds, "gpu_mb": round(torch.cuda.max_memory_allocated() / 1e6)}, result


def shrunk_batches(volume: Volume, expected: Segmentation) -> bool:
    """Return whether the masks are the same if batches of more than two slices do not fit into the GPU."""
    run = TorchNetwork.run

    def small(network: TorchNetwork, images: Any) -> Any:
        if len(images) > 2:
            raise GpuMemoryError("pretended")
        return run(network, images)

    with mock.patch.object(TorchNetwork, "run", small):
        result = segment(volume, device="cuda")
    return bool((result.lungs == expected.lungs).mean() > 0.9999)


def main() -> None:
    """Print what was measured as JSON, one line for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, default=DATA / "P001")
    parser.add_argument("--recipes", nargs="*", default=RECIPES)
    options = parser.parse_args()
    volume = read_volume(options.scan)
    print(json.dumps({"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
    for name in ("cold", "warm"):
        numbers, result = timed(volume, None)
        print(json.dumps({f"default model, {name}": numbers, **result.provenance["seconds"]}), flush=True)
    print(json.dumps({"parity with the CPU": dice(result, segment(volume, device="cpu"))}), flush=True)
    print(json.dumps({"the same masks with smaller batches": shrunk_batches(volume, result)}), flush=True)
    for recipe in options.recipes:
        print(json.dumps({recipe: timed(volume, untrained_model(recipe))[0]}), flush=True)


if __name__ == "__main__":
    main()
