"""Run in a child process with the names of modules: imports each, lets torch calculate, and says how each did.

One JSON object a line: {"module": "torch", "error": null}. Metadata of a package says little: a wheel can be there and
not load, or bring the whole process down, which then shows as a module without a line.
"""

import importlib
import json
import sys

for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        if name == "torch":
            module.ones(2, 2).matmul(module.ones(2, 2)).sum().item()
        error = None
    except Exception as exception:  # whatever a broken package raises
        error = f"{type(exception).__name__}: {exception}"
    print(json.dumps({"module": name, "error": error}), flush=True)
