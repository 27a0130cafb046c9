"""The child process."""

import os
import subprocess
import sys
from pathlib import Path

import harness

HERE = Path(__file__).parent


def test_the_child_ends_with_the_application(tmp_path):
    """An application that quits or fails without cleaning up leaves no process behind."""
    code = (
        "import sys, time; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path\n"
        "import stand_ins.application as a; a.start()\n"
        "from CovidSegModule.process.worker import ChildProcess\n"
        "child = ChildProcess(); child.start([sys.executable, '-c', 'import time; time.sleep(600)'], Path('.'))\n"
        "print(child._process.pid)\n"
    )
    module = HERE.parents[2] / "CovidSeg"
    command = [sys.executable, "-c", code, str(HERE.parent), str(module)]
    environment = {**os.environ, "PYTHONPATH": str(module.parent)}
    output = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert not harness.is_running(int(output.stdout.split()[-1]))
