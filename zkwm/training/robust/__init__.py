"""The robust embedding: a frozen head, decoys, and a look-ahead against fine-tuning."""
