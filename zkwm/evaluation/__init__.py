"""The grid: every watermark under every attack, with null models and false claims, and its report.

Measurements for research: nothing here is a verdict, and the vaults that it makes are those of an
experiment, with a passphrase that stands in the source. Importing this package imports neither
torch nor the extra ``evaluation`` (PyYAML, matplotlib).
"""
