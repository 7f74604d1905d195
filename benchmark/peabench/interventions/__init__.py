"""The engine: interchange, ablation and edge patching, many hypotheses in one pass."""

from peabench.interventions.activations import Activations, run_with_cache
from peabench.interventions.patching import EdgePatch, SubspacePatch, run_patched

__all__ = ["Activations", "EdgePatch", "SubspacePatch", "run_patched", "run_with_cache"]
