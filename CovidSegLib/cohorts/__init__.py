"""Cohorts: many scans in one folder, segmented as a batch and reviewed as a worklist."""
