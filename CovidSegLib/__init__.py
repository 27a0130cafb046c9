"""Lungs and COVID-19 infection in chest CT: segmentation, quantification, training and evaluation.

For research; not for diagnosis. Arrays are (z, y, x); coordinates are in the patient's LPS millimetres.
"""

__version__ = "0.1.0"
