"""A disturbed run of the panel leaves nothing behind, and the next run works."""

import os

import pytest
import run_faults


@pytest.mark.parametrize("name", run_faults.FAULTS)
def test_fault(name):
    if name in run_faults.NEED_MOUNT and os.getuid() != 0:
        pytest.skip("needs root, to mount small disks")
    assert run_faults.FAULTS[name]() == ""
