"""Encrypted files that only their owner can read: the vault's and the judge's key.

``encrypted`` makes the bytes, ``storage`` puts them on disk.
"""
