"""Training of recipes: cases, augmentation, the loop."""
