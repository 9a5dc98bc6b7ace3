"""Input preprocessing (Lukas et al. 2022): the model stays, its input is filtered or refused.

``smoothing``, ``jpeg``, ``input_noise``, ``flip``, ``bit_depth`` and ``autoencoder`` change every
image. ``outlier_detector`` and ``blockdoor`` fit a
detector, and ``detector_gate`` answers otherwise where it fires. ``wrapped_model`` is what they
share, and how a judge who has the file looks behind it. None of them helps an adversary who must
hand over weights.
"""
