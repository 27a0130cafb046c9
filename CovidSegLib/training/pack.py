"""A finished run as a model: `python -m CovidSegLib.training.pack RUN --name NAME`, into the library's weights."""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from .. import models, recipes

LICENCE = "Weights: CC BY-NC-SA 4.0, for research, not for commercial use (the training data's licence)."
LIMITS = [
    "Not for diagnosis. Trained on few patients; every mask needs a radiologist's eye.",
    "Trained on central slices of 8-bit pictures put back on a HU scale: on other scanners and kernels it may err.",
    "Finds opacities of any cause: pneumonia of other origin, oedema and atelectasis look alike to it.",
    "Lungs that are wholly consolidated, or an effusion, may be left out of the lungs.",
]


def pack(run: Path, name: str, into: Path = models.WEIGHTS) -> models.Model:
    """Put a run's weights, with a card and their SHA-256, where models are found."""
    facts = json.loads((run / "training.json").read_text(encoding="utf-8"))
    recipe = recipes.load(facts["recipe"])
    data = (run / "weights.safetensors").read_bytes()
    card = {
        "title": recipe.title,
        "summary": recipe.summary,
        "recipe": recipe.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "created": datetime.now(UTC).date().isoformat(),
        "threshold": 0.5,
        "licence": LICENCE,
        "data": {
            "COVID-19-CT-Seg": "Ma et al. 2020, CT slices with lung and infection masks, CC BY-NC-SA",
            "COVID-CT-MD": "Afshar et al. 2021, clean slices of whole scans, lungs outlined by thresholding",
        },
        "trained_on": facts["trained_on"],
        "never_trained_on": facts["never_trained_on"],
        "limits": LIMITS,
        "results": {},
    }
    folder = into / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in (("model.safetensors", data), ("card.json", json.dumps(card, indent=1).encode())):
        (folder / f"{file}.new").write_bytes(content)
        (folder / f"{file}.new").replace(folder / file)
    return models.Model(folder, card)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", required=True)
    options = parser.parse_args()
    model = pack(options.run, options.name)
    print(f"{model.name}: {model.weights.stat().st_size / 1e6:.1f} MB, SHA-256 {model.card['sha256']}")
