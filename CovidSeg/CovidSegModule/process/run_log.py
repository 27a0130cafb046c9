"""The log of a run, without anything that identifies the patient or the user."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Iterable
from pathlib import Path

#: What takes the place of removed text.
REMOVED = "[removed]"
#: A path of Windows, or of macOS and Linux with at least two parts.
_PATH = re.compile(r"(?:[A-Za-z]:\\|\\\\|(?<![\w.:/])/(?!/))[^\s\"'<>|:*?,;()]*[\\/]([^\s\\/\"'<>|:*?,;()]*)")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without names and without the folders of paths.

    Args:
        text: Any text.
        secrets: Names to remove, for example that of the CT.
    """
    for secret in sorted({name for name in (*secrets, _user_name(), Path.home().name) if len(name) > 2}, key=len)[::-1]:
        text = re.sub(re.escape(secret), REMOVED, text, flags=re.IGNORECASE)
    return _PATH.sub(r".../\1", text)


def last_words(output: str) -> str:
    """Return the last line of an error output that says something, at most 200 characters."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def run_log(exit_code: int | None, output: str, version: str, model: str, device: str, secrets: Iterable[str]) -> str:
    """Return the log of a run as text that can be sent to the developers."""
    head = [
        f"CovidSeg {version}, model {model or 'default'}, device {device}, exit code {exit_code}",
        f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}",
    ]
    return scrub("\n".join([*head, "", output]), secrets)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
