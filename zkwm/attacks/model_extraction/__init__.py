"""Model extraction (Lukas et al. 2022): a surrogate is trained on the model's answers.

- ``extraction`` has only the owner's service, and images (``queries``) that it asks about; what it
  gets to know is in ``answers``. ``distillation`` has the weights and asks as often as it likes.
- ``data_free`` has no images, but a generator that seeks disagreement (``image_generator``), with
  the service or with the weights.
- ``ensemble`` has two stolen networks, and serves or distills their averaged answers.

``surrogate`` trains the new network. The reading of marks from weights is ``zkwm.extraction``,
another thing by the same word.
"""
