"""The views of the application."""

from __future__ import annotations

import slicer


def center_3d_views() -> None:
    """Point the 3D views at everything that is shown. Do nothing if there are no views."""
    if slicer.app.layoutManager() is not None:
        slicer.util.resetThreeDViews()
