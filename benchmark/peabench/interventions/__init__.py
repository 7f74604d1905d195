"""The engine: interchange, ablation and edge patching, many hypotheses in one pass.

Every sweep takes `memory_bytes`, what it may hold at once beside its arguments and its result, without effect on
values; and `progress`, called with the share done, 0 to 1.
"""

from peabench.interventions.activations import Activations, run_with_cache
from peabench.interventions.attention import attention_patterns
from peabench.interventions.attribution import edge_attributions
from peabench.interventions.chunks import MEMORY_BYTES, Progress
from peabench.interventions.das import DASResult, train_das
from peabench.interventions.edges import patch_hypotheses, replacement_nodes, sweep_edges
from peabench.interventions.metrics import LinearMetric, Metric
from peabench.interventions.patching import EdgePatch, SubspacePatch, run_patched
from peabench.interventions.sites import interchange, site_values, sweep_sites

__all__ = [
    "MEMORY_BYTES",
    "Activations",
    "DASResult",
    "EdgePatch",
    "LinearMetric",
    "Metric",
    "Progress",
    "SubspacePatch",
    "attention_patterns",
    "edge_attributions",
    "interchange",
    "patch_hypotheses",
    "replacement_nodes",
    "run_patched",
    "run_with_cache",
    "site_values",
    "sweep_edges",
    "sweep_sites",
    "train_das",
]
