"""`python -m CovidSegLib` runs the command `covidseg` where it is not on the path, as in Slicer."""

from .cli.main import program

program()
