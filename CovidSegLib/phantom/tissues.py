"""Hounsfield units of the tissues of the synthetic patient."""

AIR = -1000.0
FAT = -105.0
BLOOD = 42.0
MUSCLE = 52.0
LIVER = 60.0
MARROW = 190.0
CORTEX = 650.0
