"""Reference methods for Peabench's tracks, one module per method."""
