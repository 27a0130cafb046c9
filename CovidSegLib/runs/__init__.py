"""Training runs on disk: configuration, model card, environment and cross-validation."""
