"""Options that several commands share."""

from __future__ import annotations

import argparse


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add --progress, which `main` passes to `reporter.make_reporter`."""
    parser.add_argument(
        "--progress",
        choices=["bar", "json", "none"],
        help="how to show progress (default: a bar in a terminal, else none)",
    )
