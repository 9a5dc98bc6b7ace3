"""Model extraction (Lukas et al. 2022): a surrogate is trained on the model's answers.

``distillation`` has the weights and asks as often as it likes; ``extraction`` has only the owner's
service. ``surrogate`` trains the new network for both. The reading of marks from weights is
``zkwm.extraction``, another thing by the same word.
"""
