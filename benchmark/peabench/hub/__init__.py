"""The Hugging Face Hub: task checkpoints come from there, suites and results go there.

Importing this package imports no client; each function does when it is called.
"""

from peabench.hub.proposing import propose

__all__ = ["propose"]
