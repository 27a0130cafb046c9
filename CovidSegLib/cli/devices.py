"""`covidseg devices`: the GPUs and the CPU that --device can name."""

from __future__ import annotations

import argparse

from .session import Session
from .tables import add_json, print_json, print_table

SUMMARY = "list the devices that can compute"
DESCRIPTION = "List the GPUs that PyTorch can use, with their free memory, and the CPU. The first is the default."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `covidseg devices`."""
    parser.set_defaults(json=False)
    add_json(parser)


def run(session: Session) -> None:
    """Print the devices."""
    with session.defer_interrupts():
        from ..inference.available import available_devices  # imports torch, which takes seconds

    devices = available_devices()
    if session.options.json:
        print_json(devices)
        return
    rows = [[item["device"], _gigabytes(item["free_mb"]), item["name"]] for item in devices]
    print_table(["DEVICE", "FREE MEMORY", "NAME"], rows)


def _gigabytes(megabytes: int | None) -> str:
    return "-" if megabytes is None else f"{megabytes / 1024:.1f} GB"
