"""Head confidence: how sharply each head attends, lifted to edges."""

import torch

from peabench.interventions import attention_patterns, run_with_cache
from peabench.networks import Transformer
from peabench.scorers import Scorer
from peabench.tracks.circuits import CircuitAnswer, CircuitQuestion
from peabench_baselines.circuits.node_lift import lifted

PAIRS = 512


class HeadConfidence(Scorer[CircuitQuestion, CircuitAnswer]):
    """Mean over 512 base inputs and queries of the largest weight in a head's attention; an edge has its lesser end's.

    Nodes that do not attend have the mean of all heads'. Heads of a transformer alone have patterns to be looked at.

    Cost: one forward pass; no gradients; the sources are not used.
    """

    name = "head-confidence"
    track = "circuits"
    reference = "https://arxiv.org/abs/1905.09418"  # Voita et al. 2019, section 4

    def applicable(self, question: CircuitQuestion) -> str | None:
        """Declines networks without attention."""
        return None if isinstance(question.network, Transformer) else "The network has no attention to look at."

    def score(self, question: CircuitQuestion) -> CircuitAnswer:
        """The patterns of one run."""
        network = question.network
        with torch.inference_mode():
            patterns = attention_patterns(run_with_cache(network, question.base[:PAIRS]))
        found = {head: float(pattern.amax(-1).mean()) for head, pattern in patterns.items()}
        mean = sum(found.values()) / len(found)
        return CircuitAnswer(lifted(question, torch.tensor([found.get(node, mean) for node in network.graph.nodes])))
