"""The adversary keeps the model and changes or rejects what it is asked."""
