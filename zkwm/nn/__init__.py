"""What all parties share about networks: architectures, files, digests, data and inference."""
