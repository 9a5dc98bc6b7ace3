"""The cryptography of zkwm: what an auditor reads.

Bytes and arrays in, bytes and verdicts out. Nothing in this package reads a file, opens a
socket, asks the clock or imports torch; a test holds that. SPEC.md is the normative text.
"""
