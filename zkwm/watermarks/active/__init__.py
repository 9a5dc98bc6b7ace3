"""Watermarks in the answers of a prediction service, for surrogates trained on them."""
