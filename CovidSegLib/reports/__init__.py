"""What leaves the computer with a person: a report as HTML and PDF, and a viewer in one file.

Everything is written for files that are opened without network: pictures, styles and programs are inside them.
"""

from __future__ import annotations

from .files import prepare, write_report

__all__ = ["prepare", "write_report"]
