"""Model modification (Lukas et al. 2022): the adversary changes the weights.

- Training: ``fine_tuning``, ``refit``, ``transfer``, ``overwriting``.
- Compression: ``pruning``, ``fine_pruning``, ``quantization``.
- A second theft: ``merging``.
- Noise and symmetry: ``weight_noise``, ``weight_shifting``, ``permutation``.
- Against trigger sets: ``unlearning`` (guessed triggers); ``confident_noise`` and ``dehydra``
  (triggers searched in the model, the latter by ``class_inversion``; ``held_out`` is the stop rule
  of both); ``laundering`` (``trigger_inversion``, then ``neuron_reset``); ``wrk``
  (``trigger_inversion`` or adversarial images).
"""
