"""The logic of each section of the panel: what it does to the scene, without widgets."""
