"""Slicer imports the module when it starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODULE = HERE.parents[1] / "CovidSeg"
#: Starts the stand-ins, then imports the module and prints what that has loaded.
CODE = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from stand_ins import application
application.start()
before = set(sys.modules)
import CovidSeg
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_importing_the_module_is_fast():
    """Neither torch nor scipy, which takes long to load, is imported, and CovidSegLib is found in the source tree."""
    command = [sys.executable, "-c", CODE, str(HERE), str(MODULE)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    output = subprocess.run(command, capture_output=True, text=True, cwd=HERE, env=environment, check=True).stdout
    loaded = set(json.loads(output.splitlines()[-1]))
    assert {"CovidSeg", "CovidSegModule.self_test", "CovidSegLib.volume"} <= loaded
    assert not loaded & {"torch", "monai", "scipy", "skimage", "matplotlib", "safetensors"}
