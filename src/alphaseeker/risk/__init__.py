"""Position sizing, exits, limits and profit accounting."""
