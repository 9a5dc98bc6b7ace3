"""Evaluation: every watermark under every attack of a grid file, measured and reported.

``zkwm evaluate GRID.yaml -o FOLDER`` does it. The run, in order:

1. ``plan``: read the grid file and check it before anything is trained; divide the data.
2. ``run``: train unmarked models, embed each mark, attack it, measure what is left. Everything is
   cached in the folder, so an interrupted run resumes.
3. ``results``: one ``Cell`` per watermark, attack and seed; tables, figures and one HTML page.
4. ``null_hypothesis``: what unmarked models reach under each scheme and claim, against what the
   evidence says.

These are measurements for research: nothing here is a verdict, and the vaults of an experiment have
a passphrase that stands in the source. Importing this package imports neither torch nor the extra
``evaluate`` (PyYAML, matplotlib).
"""
