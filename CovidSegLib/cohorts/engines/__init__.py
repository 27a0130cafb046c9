"""What runs the cases of a cohort: processes of this computer, or Ray."""
