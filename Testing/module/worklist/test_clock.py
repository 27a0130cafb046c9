"""Reading time: only while the reader is at work."""

from CovidSegModule.worklist.clock import IDLE_SECONDS, LONGEST_STEP, ReadingClock


def test_time_counts_while_something_happens():
    clock = ReadingClock(10)
    for second in range(6):
        clock.look(100 + second, True, second)
    assert clock.seconds == 15


def test_time_stops_a_minute_after_the_last_sign_and_goes_on_with_the_next():
    clock = ReadingClock()
    for second in range(1000):
        clock.look(second, True, "nothing moves")
    assert clock.seconds == IDLE_SECONDS
    clock.look(1000, True, "moved")
    clock.look(1001, True, "moved")
    assert clock.seconds == IDLE_SECONDS + 2


def test_time_in_another_module_or_program_does_not_count():
    clock = ReadingClock()
    clock.look(0, True, 0)
    clock.look(1, True, 1)
    clock.look(2, False, 2)
    clock.look(3, False, 3)
    clock.look(4, True, 4)
    assert clock.seconds == 1
    clock.look(5, True, 5)
    assert clock.seconds == 2


def test_a_sleep_of_the_computer_does_not_count():
    clock = ReadingClock()
    clock.look(0, True, 0)
    clock.look(30_000, True, 1)
    assert clock.seconds == LONGEST_STEP
