"""Marks in the answers that a prediction service gives; one file a paper."""
