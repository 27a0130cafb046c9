"""What is known before a run: checks of the CT, the device and the time."""

import harness
import numpy as np
import pytest
import slicer

from CovidSegModule.logic.readiness import ReadinessLogic, duration
from CovidSegModule.process.devices import Device


def checked(logic, ct):
    harness.wait_until(lambda: logic.check(ct) is not None)
    return logic.check(ct)


def test_a_good_ct_has_no_warnings():
    check = checked(ReadinessLogic(), harness.make_ct())
    assert (check.refusal, check.warnings) == ("", ())


def test_thick_slices_are_a_warning():
    check = checked(ReadinessLogic(), harness.make_ct(spacing=(2.9, 3.1, 7.0)))
    assert not check.refusal
    assert "7 mm apart" in check.warnings[0]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (harness.make_colour_image, "colour image"),
        (lambda: harness.make_ct(array=np.arange(4000, dtype=np.uint8).reshape(10, 20, 20)), "Hounsfield"),
        (lambda: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"), "empty"),
    ],
)
def test_other_images_are_refused_with_the_reason(make, word):
    assert word in checked(ReadinessLogic(), make()).refusal


def test_a_changed_ct_is_checked_again():
    logic, ct = ReadinessLogic(), harness.make_ct()
    assert not checked(logic, ct).refusal
    slicer.util.updateVolumeFromArray(ct, np.zeros((5, 6, 7), np.int16))
    assert "empty" in checked(logic, ct).refusal


def test_the_device_and_the_time():
    logic = ReadinessLogic(lambda: harness.DEVICES)
    assert logic.device_text("auto") == ""
    logic.begin_listing_devices()
    harness.wait_until(lambda: not logic.waiting)
    assert logic.device_text("auto") == "Will run on NVIDIA RTX 4000 (6.0 GB free)."
    assert logic.device_text("cpu") == "Will run on the processor (8 cores)."
    assert logic.expected_seconds("qc", "auto", 300) is None
    logic.remember_time("qc", "auto", 100, 20.0)
    assert logic.expected_seconds("qc", "cuda", 300) == pytest.approx(60)
    assert logic.expected_seconds("qc", "cpu", 300) is None


def test_without_a_gpu():
    logic = ReadinessLogic(lambda: [Device("cpu", "CPU, 2 cores")])
    logic.begin_listing_devices()
    harness.wait_until(lambda: not logic.waiting)
    assert logic.device_text("cuda") == "No suitable graphics card was found."


def test_unknown_devices_are_no_error():
    def fail():
        raise OSError("torch is damaged")

    logic = ReadinessLogic(fail)
    logic.begin_listing_devices()
    harness.wait_until(lambda: not logic.waiting)
    assert logic.device_text("auto") == ""


def test_durations():
    assert [duration(seconds) for seconds in (2, 43, 300)] == ["about 5\u00a0s", "about 45\u00a0s", "about 5\u00a0min"]
