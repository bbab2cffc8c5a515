"""Numeric primitives: elapsed-time averages, and window sums, maxima, moments and slopes."""
