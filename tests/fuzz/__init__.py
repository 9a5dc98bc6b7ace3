"""Fuzzing of every reader of foreign bytes: valid documents, changed by structure and by byte.

``harness`` runs one kind, ``kinds`` lists all of them, the other files are generators and mutators.
Everything follows from the kind's name and a number, so that a failure is found again:
``python benchmarks/fuzz.py --kind NAME --first NUMBER --count 1``.
"""
