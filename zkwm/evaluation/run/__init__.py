"""The run: train, embed, attack and measure the cells of a grid.

``runner`` orders the work, ``executors`` hands ``tasks`` to this process, to workers or to Ray.
A task trains one unmarked model, or opens one mark (``watermarked``, with a ``throwaway_vault``)
and attacks it (``attack_mark``), measuring each time (``measure``). All results are in the
``cache``.
"""
