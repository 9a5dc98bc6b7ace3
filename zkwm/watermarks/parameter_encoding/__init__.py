"""Watermarks in weights or activations, read with secret keys."""
