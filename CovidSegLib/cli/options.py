"""Options that several commands share."""

from __future__ import annotations

import argparse
import contextlib


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="auto", help="auto (the default), cpu, cuda, or mps on an Apple computer")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add --engine."""
    parser.add_argument(
        "--engine",
        choices=("auto", "openvino", "torch"),
        default="auto",
        help="what runs the networks (default: OpenVINO on a CPU if the model is exported for it, else PyTorch)",
    )


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add --progress, which `main` passes to `reporter.make_reporter`."""
    parser.add_argument(
        "--progress",
        choices=["bar", "json", "none"],
        help="how to show progress (default: a bar in a terminal, else none)",
    )


def probability(text: str) -> float:
    """Return a probability that was given as text, for the `type` of an argument."""
    with contextlib.suppress(ValueError):
        if 0.0 < float(text) < 1.0:
            return float(text)
    raise argparse.ArgumentTypeError("a number between 0 and 1 is needed")
