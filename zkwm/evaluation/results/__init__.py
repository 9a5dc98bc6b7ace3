"""The results: cells and their aggregates as tables, figures and one page.

``cell`` is one measurement, ``outcome`` everything that a run returns. ``aggregate`` chooses the
numbers that are shown; ``tables`` and ``figures`` show them, ``published`` has figures of others to
stand beside ours, and ``report`` writes the files.
"""
