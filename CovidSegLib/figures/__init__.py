"""Figures: slices with outlines, 3D renderings, the overview of a result."""
