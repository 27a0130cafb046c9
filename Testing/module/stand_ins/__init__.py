"""What `pip install slicer-core` lacks of the Slicer application, so that the real panel runs on a real MRML scene.

slicer-core brings the scene, the logics and `slicer.util`. These stand-ins bring, in as little code as the module
needs: `qt` (PySide6 under PythonQt's manners), the MRML widgets of the panel, the base classes of scripted modules,
translation and `slicer.app`. They show that the module works; only Slicer shows that it works in Slicer, for which
there is the self-test in CovidSeg.py.
"""
