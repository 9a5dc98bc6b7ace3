"""The neural base that all parties share: networks, their files, digests and inference."""
