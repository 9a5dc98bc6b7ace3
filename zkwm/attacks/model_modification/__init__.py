"""The adversary changes the weights."""
