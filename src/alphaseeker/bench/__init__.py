"""What a prediction costs on this machine, beside LightGBM's and Treelite's own predictors."""
