"""The adversary trains a surrogate on the model's answers."""
