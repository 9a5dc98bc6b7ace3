"""Names, digests, formats and one training of each kind, frozen: no reorganization changes them."""
