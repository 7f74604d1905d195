"""Best neuron: the single coordinates of the residual stream that act most like the variable."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.interventions import Activations, interchange, run_with_cache
from peabench.scorers import Scorer
from peabench.tracks.pairs import Pairs, balanced_accuracy, predicted_class
from peabench.tracks.variables import VariableAnswer, VariableQuestion
from peabench_baselines.variables.balanced_rows import balanced_rows
from peabench_baselines.variables.site_choice import choose_site

PAIRS = 512


class BestNeuron(Scorer[VariableQuestion, VariableAnswer]):
    """At each site the k coordinates whose single interchange is most accurate on 512 training pairs."""

    name = "best-neuron"
    track = "variables"
    reference = "https://arxiv.org/abs/2004.12265"  # Vig et al. 2020, causal mediation by single neurons
    supervision = "counterfactual outputs"

    def score(self, question: VariableQuestion) -> VariableAnswer:
        """Axes of the residual stream; all coordinates of a site are tried in one batch."""
        network = question.network
        pairs = question.training.select(balanced_rows(question.training, PAIRS, question.generator))
        with torch.inference_mode():
            base, source = run_with_cache(network, pairs.base), run_with_cache(network, pairs.source)
            bases = {site: self.axes(question, pairs, base, source, site).clone() for site in question.sites}
        return choose_site(question, bases)

    def axes(
        self, question: VariableQuestion, pairs: Pairs, base: Activations, source: Activations, site: str
    ) -> Float[Tensor, "d_model k"]:
        """The best coordinates of one site."""
        axes = torch.eye(question.network.config.d_model, device=pairs.base.device)
        logits = interchange(question.network, base, source, site, axes[:, :, None])
        accuracy = balanced_accuracy(predicted_class(logits), pairs)
        return axes[:, accuracy.argsort(descending=True, stable=True)[: question.dimension]]
