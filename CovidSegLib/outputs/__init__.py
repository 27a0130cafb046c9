"""Result files: segments, label map, probabilities, surfaces, report and overview."""

from .results import FILES, GROUPS, prepare, write_results

__all__ = ["FILES", "GROUPS", "prepare", "write_results"]
