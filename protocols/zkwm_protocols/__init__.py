"""File formats and cryptography of zkwm, the part that an auditor reads first.

Bytes and arrays go in and come out. Nothing in this package reads a file, opens a socket, asks the
clock or imports torch (tests/architecture/test_imports.py). SPEC.md is the normative text. A
dispute has four documents: ``commitment``, ``challenge``, and as response ``opening`` or
``argument_response``. What they are worth is in ``evidence``; the proof system is in ``argument``.
"""
