"""Factor evaluation: information coefficients, spreads, ratios and grades."""
