"""The integer network: model, bounds, file, evaluation, and transposed maps (SPEC.md 16).

::

    nodes      convolution, sum, concatenation, reshape, activation, maximum: data only
    shapes     the shape of every value, and limits on sizes
    bounds     an interval for every entry of every value
    model      a network that passed all of them
    codec      its file and digest
    evaluate   values, logits and labels of images, exactly
    adjoint    the transposes of its linear nodes over K, for the argument
    windows, correlation     what convolutions and maxima share

The argument is about integers modulo p, so a suspect's real network is first made into one of
these, by ``zkwm.quantizer``, which needs onnx.
"""
