"""Training of networks: data sets, augmentation, losses, optimisation and the training loop."""
