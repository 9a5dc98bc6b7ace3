"""Trigger images: what a trigger set is, and families of images drawn from the owner's key.

Not labels (derived from the commitment) and not training (``zkwm.training``). Does not import
torch.
"""

from zkwm.triggers.families import FAMILIES, generate
from zkwm.triggers.trigger_set import Generated, TriggerSet, check_images

__all__ = ["FAMILIES", "Generated", "TriggerSet", "check_images", "generate"]
