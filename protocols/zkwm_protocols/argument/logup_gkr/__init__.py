"""LogUp by GKR: every lookup is a fraction, and their sum is proven layer by layer."""
