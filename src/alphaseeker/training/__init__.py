"""Labels, splits, fitting and honest evaluation."""
