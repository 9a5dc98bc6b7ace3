"""Marks in the answers to secret trigger images; one file a paper."""
