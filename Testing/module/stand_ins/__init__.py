"""Stand-ins for the parts of Slicer that `pip install slicer-core` lacks, so that the panel runs on a real MRML scene.

slicer-core has the scene, the logics and `slicer.util`. The stand-ins add what the module needs, in as little code as
possible: `qt` (PySide6 with PythonQt's interface), the MRML widgets of the panel, the base classes of scripted modules,
translation and `slicer.app`. Tests with stand-ins show that the module works, but not that it works in Slicer. The
self-test in CovidSeg.py is for that.
"""
