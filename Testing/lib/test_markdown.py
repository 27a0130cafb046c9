"""Names of files cannot break a table."""

from CovidSegLib.markdown import table


def test_cells_stay_cells() -> None:
    lines = table(["name", "Dice"], [["a|b\n# c\x1b", "0.81"]]).splitlines()
    assert lines[2:] == [r"| a\|b\x0a# c\x1b | 0.81 |"]
