"""A second implementation of SPEC.md, written from that text alone: slow, obvious, for tests only.

It shares no code with `zkwm_protocols` and imports nothing of it. Where the two disagree, one of
them or the text is wrong.
"""
