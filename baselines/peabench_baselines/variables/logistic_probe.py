"""Logistic probe: the weights of a linear classifier of the variable's value."""

import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from peabench_baselines.variables.class_directions import ClassDirections
from peabench_baselines.variables.labelled_activations import LabelledActivations, leading_directions


class LogisticProbe(ClassDirections):
    """Row space of a (multinomial) logistic regression's weights, its leading directions where they are too many."""

    name = "logistic-probe"
    reference = "https://arxiv.org/abs/1610.01644"  # Alain and Bengio 2016, linear classifier probes

    def basis(self, activations: LabelledActivations, site: str, dimension: int) -> Float[Tensor, "d_model k"]:
        """Weights of scikit-learn's classifier, by Newton's method, as rows are many and columns few."""
        probe = LogisticRegression(solver="newton-cholesky")
        probe.fit(activations.sites[site].double().cpu().numpy(), activations.classes.cpu().numpy())
        weights = torch.from_numpy(probe.coef_).to(activations.classes.device)
        return leading_directions(weights, min(dimension, max(1, activations.n_classes - 1)))
