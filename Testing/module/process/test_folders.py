"""Temporary folders of runs."""

import os

from CovidSegModule.process.folders import create_folder, remove_leftovers


def test_leftovers_of_a_crash_are_removed():
    old, new = create_folder(), create_folder()
    os.utime(old, (0, 0))
    remove_leftovers()
    assert not old.exists()
    assert new.exists()
    new.rmdir()
