"""The null hypothesis: what unmarked models reach under each scheme and claim.

The evidence of a verdict assumes that labels derived from a commitment are independent of any model
that was not marked with them. Here that is measured: ``matches`` against the binomial law,
``ranks`` against the law of rank sums (SPEC.md 8.4), ``points`` against those of sums of points
(SPEC.md 8.6), ``claims`` by false claims on innocent models.
``significance`` has the tests; ``grid_stage`` does it for a grid and makes the tables.
"""
