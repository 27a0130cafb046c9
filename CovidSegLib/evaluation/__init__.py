"""How good a model is: metrics, and the tables of its card."""
