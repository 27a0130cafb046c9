"""Which scans a cohort has: from folder trees, lists and single files to cases."""
