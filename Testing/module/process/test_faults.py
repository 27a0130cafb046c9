"""A disturbed run of the panel leaves nothing behind, and the next run works."""

import os

import faults
import pytest


@pytest.mark.parametrize("name", faults.FAULTS)
def test_fault(name):
    if name in faults.NEED_MOUNT and os.getuid() != 0:
        pytest.skip("needs root, to mount small disks")
    assert faults.FAULTS[name]() == ""
