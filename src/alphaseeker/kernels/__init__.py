"""Numeric primitives: elapsed-time averages, window sums, moments, extrema, least squares."""
