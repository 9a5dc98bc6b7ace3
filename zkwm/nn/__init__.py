"""Networks, as all parties use them: architectures, files, digests, data and inference."""
