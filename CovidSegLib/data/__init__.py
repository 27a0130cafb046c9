"""The scans that networks learn from and are measured on, in the layouts in which people have them."""
