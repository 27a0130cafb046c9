"""Messages about a run."""

import pytest

from CovidSegModule import messages


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (3, "a few seconds left"),
        (14.2, "about 10 s left"),
        (72, "about 70 s left"),
        (125, "about 2 min left"),
    ],
)
def test_time_left(seconds, text):
    assert messages.time_left(seconds) == text


@pytest.mark.parametrize("exit_code", [-9, 137])
def test_a_killed_process_ran_out_of_memory(exit_code):
    assert "out of memory" in messages.crashed(exit_code, "")


def test_an_import_error_in_a_sentence_is_not_a_broken_package():
    assert messages.mentions_broken_package("Traceback\nModuleNotFoundError: No module named 'monai'")
    assert not messages.mentions_broken_package("warning: ImportError was handled")
