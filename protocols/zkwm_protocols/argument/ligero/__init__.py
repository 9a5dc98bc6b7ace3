"""The Ligero commitment to the witness, and the proof of one linear claim about it."""
