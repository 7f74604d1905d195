"""The static site: a board per track, a page per scorer and per task, plots, and the method."""

from peabench_leaderboard.site.build import build_site, write_site

__all__ = ["build_site", "write_site"]
