"""zkwm: prove that a neural network carries your committed mark."""
