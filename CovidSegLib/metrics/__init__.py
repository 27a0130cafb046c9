"""Metrics that compare a predicted segmentation with its target, and statistics over cases.

Masks are boolean arrays (z, y, x). Counts and distances of several slice ranges of one patient can be added with `+`
before a metric is computed.

- `overlap.ConfusionMatrix`: Dice, IoU, sensitivity, specificity, precision, accuracy
- `surface_distance.SurfaceDistances`: normalised surface Dice, Hausdorff distance
- `lesion_detection.LesionCounts`: lesion-wise detection and F1
- `calibration.Calibration`: expected calibration error, reliability bins
- `measurement.Measurement`: all metrics of one structure in one case
- `statistics`: bootstrap intervals, limits of agreement, paired tests
"""
