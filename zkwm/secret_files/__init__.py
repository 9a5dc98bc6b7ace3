"""Encrypted files with owner-only permissions: under the vault and under a judge's key."""
