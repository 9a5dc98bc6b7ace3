"""The robust embedding: training in which triggers survive fine-tuning and unlearning.

Read in this order: ``method`` (the loss and what one step adds up), ``frozen_head``, ``decoys``,
``sought_decoys``, ``lookahead``, ``perturbed_weights``, and ``mixed_batch``, which these share.
"""
