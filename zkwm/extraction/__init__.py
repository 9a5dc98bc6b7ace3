"""The normative reading of marks (SPEC.md 19): keys, alignment, and one reader a scheme."""
