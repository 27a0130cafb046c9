"""Print the packages of pyproject.toml that the image needs: with --torch those for PyTorch, otherwise all others."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

#: Needed for GPUs, for training, and for models that are not exported.
TORCH = ("torch", "monai")

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in project["dependencies"]:
    name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower()
    if (name in TORCH) == ("--torch" in sys.argv):
        print(requirement)
