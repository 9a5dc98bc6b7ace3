"""Where the test vectors of SPEC.md section 15 lie."""

from pathlib import Path

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
