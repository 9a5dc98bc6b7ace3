"""Reading a mark from a suspect, as every judge must (SPEC.md 19).

A mark in weights, activations or soft answers is read with secret keys (``keys``), from the suspect
aligned with the owner's unmarked model (``alignment``, ``unit_form``, ``neuron_groups``), by the
reader of its scheme (``schemes``). Embedding such a mark is in ``zkwm.watermarks``; copying a model
by its answers, which the literature calls extraction too, is in ``zkwm.attacks.model_extraction``.
"""
