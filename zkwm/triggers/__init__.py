"""Trigger images: the trigger set, and families of images drawn from the owner's key.

Labels derive from the commitment (``zkwm_protocols.labels``); training on triggers is in
``zkwm.training``. Does not import torch.
"""

from zkwm.triggers.families import FAMILIES, generate
from zkwm.triggers.trigger_set import Generated, TriggerSet, check_images

__all__ = ["FAMILIES", "Generated", "TriggerSet", "check_images", "generate"]
