"""Import the modules named on the command line, compute something with torch, and report on each module.

This script runs in a child process. It prints one JSON object per line: {"module": "torch", "error": null}. Looking at
the metadata of a package is not enough: an installed package may fail to load, or crash the process. A crash shows as a
module without a line.
"""

import importlib
import json
import sys

# OpenVINO's tool for the conversion of models sends an event over the network when it is imported, which openvino does
# if it can. None makes the import fail as if the tool were not installed.
for name in ("openvino.tools.ovc", "openvino_telemetry"):
    sys.modules[name] = None  # type: ignore[assignment]
for name in sys.argv[1:]:
    error = None
    try:
        module = importlib.import_module(name)
        if name == "torch":
            module.ones(2, 2).matmul(module.ones(2, 2)).sum().item()
    except Exception as exception:  # a broken package may raise anything
        error = f"{type(exception).__name__}: {exception}"
    print(json.dumps({"module": name, "error": error}), flush=True)
