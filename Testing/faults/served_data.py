"""Run `covidseg` with a data set "served" at an address: python served_data.py ADDRESS ARGUMENTS ..."""

from __future__ import annotations

import sys

from CovidSegLib.cli import main as cli
from CovidSegLib.data import sources

if __name__ == "__main__":
    file = sources.RemoteFile(sys.argv[1])
    sources.find_source = lambda name: sources.Source(name, "a test", "none", "none", "none", (file,))
    sys.exit(cli.main(sys.argv[2:]))
