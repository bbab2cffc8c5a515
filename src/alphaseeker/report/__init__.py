"""Pages to look at: self-contained HTML from plain results."""
