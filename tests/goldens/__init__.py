"""What a change of house must not change: names, digests, formats, a training each."""
