"""Figures and tables of the networks for the documentation, made by running each network."""
