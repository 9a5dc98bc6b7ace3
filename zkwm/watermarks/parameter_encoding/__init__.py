"""Marks in weights or activations; one file a paper."""
