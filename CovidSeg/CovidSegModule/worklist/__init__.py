"""What the worklist does without widgets: reading cases and saving readings in threads, and measuring reading time."""
