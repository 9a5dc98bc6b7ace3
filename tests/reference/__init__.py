"""A second implementation of the protocol, written from SPEC.md and spec/ alone: slow and obvious.

It shares no code with ``zkwm_protocols``, imports nothing of it, and is for tests only. Where the
two disagree, one of them or the text is wrong. Sections are cited by number ("SPEC.md 17.3"); the
list in SPEC.md says in which chapter each stands.
"""
