"""Figures and tables of the networks for the documentation, made from a run of each."""
