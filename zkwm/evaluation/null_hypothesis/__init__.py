"""What unmarked models reach under each scheme, against what the evidence says."""
