"""The Hugging Face Hub: task checkpoints come from there, suites and results go there.

Importing this package imports no client; each function does when it is called.
"""

from peabench.hub.downloading import Downloaded, download
from peabench.hub.proposing import propose
from peabench.hub.published import Published
from peabench.hub.publishing import Release, prepare, publish

__all__ = ["Downloaded", "Published", "Release", "download", "prepare", "propose", "publish"]
