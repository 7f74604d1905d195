"""Tracks: the questions that scorers are asked, what an answer is, and what a score means."""

from peabench.errors import InvalidAnswer
from peabench.tracks.listing import get, names
from peabench.tracks.track import Reference, Track

__all__ = ["InvalidAnswer", "Reference", "Track", "get", "names"]
