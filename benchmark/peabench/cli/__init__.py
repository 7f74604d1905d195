"""The command line: one module per command, each of which imports torch only when it has to."""
