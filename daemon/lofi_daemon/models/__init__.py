"""Weights of the neural backends: which there are, where they lie, and how they get here."""
