"""Watermarks in the labels that a model gives to secret trigger images."""
