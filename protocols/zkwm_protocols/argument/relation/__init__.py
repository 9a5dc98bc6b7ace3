"""What is proven: cells, lookups and gadgets of one statement (SPEC.md 17.3 and 17.4)."""
