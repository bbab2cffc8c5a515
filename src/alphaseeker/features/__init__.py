"""The feature catalogue, its kernels, and their batch and streaming use."""
