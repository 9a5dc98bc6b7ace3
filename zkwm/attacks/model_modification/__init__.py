"""Model modification (Lukas et al. 2022): the adversary changes the weights.

- Training: ``fine_tuning``, ``low_rank_tuning``, ``refit``, ``transfer``, ``overwriting``,
  ``feature_shift_tuning``, ``adversarial_training``.
- Compression: ``pruning``, ``fine_pruning``, ``quantization``.
- Pruning of ``channels`` that serve something else: ``channel_lipschitz_pruning``,
  ``reconstructive_pruning``.
- A second theft: ``merging``.
- Noise and symmetry: ``weight_noise``, ``weight_shifting``, ``permutation``.
- Against trigger sets: ``unlearning`` (guessed triggers); ``confident_noise`` and ``dehydra``
  (triggers searched in the model, the latter by ``class_inversion``; ``held_out`` is the stop rule
  of both); ``laundering`` and ``partial_laundering`` (``trigger_inversion``, then
  ``neuron_reset``); ``hypergradient_unlearning`` (one perturbation for all images); ``wrk``
  (``trigger_inversion`` or adversarial images).
"""
