"""Results as DICOM objects: segmentations, a structured report and an encapsulated PDF for the study of the CT."""

from .export import FILES, export, prepare
from .result import Result, read_result, result_of
from .source import Source, read_source

__all__ = ["FILES", "Result", "Source", "export", "prepare", "read_result", "read_source", "result_of"]
