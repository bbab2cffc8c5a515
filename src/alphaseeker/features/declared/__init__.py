"""The declarations of the signals, a module per family; ``catalogue`` puts them together."""
