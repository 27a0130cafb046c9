"""`python -m CovidSegLib`: the command `covidseg` where it is not on the path, as in Slicer."""

import sys

from .cli import main

sys.exit(main())
