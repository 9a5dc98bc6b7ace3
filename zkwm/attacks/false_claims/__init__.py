"""False claims: the adversary is the accuser, who claims a model that is not theirs.

Nothing is done to any suspect. ``transferable_examples`` chooses labels that innocent models are
made to give; ``key_grinding`` tries many commitments until one is lucky. ``claim`` is the
interface. What they reach is measured by ``zkwm.evaluation.null_hypothesis``.
"""
