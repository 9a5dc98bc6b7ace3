"""The accuser is the adversary: claims on models that are not theirs."""
