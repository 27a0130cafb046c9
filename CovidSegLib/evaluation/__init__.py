"""Evaluation of models on scans with masks: measurements, tables, figures and calibration."""
