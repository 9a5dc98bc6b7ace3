"""Training, attacking and measuring the cells of a grid."""
