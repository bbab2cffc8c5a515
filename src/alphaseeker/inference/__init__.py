"""From a tick to a signal, and what it cost."""
