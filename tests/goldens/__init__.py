"""What a change of house must not change, as it was before: names, digests, formats, one training."""
