"""How far what an intervened run predicts is from what the network predicts: what methods lose that cut many edges."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def divergence(
    logits: Float[Tensor, "*any batch position output"], whole: Float[Tensor, "batch position output"]
) -> Float[Tensor, "*any batch"]:
    """Kullback-Leibler divergence, in nats, of the prediction at the last position from the whole network's there.

    A single logit is that of two classes.
    """
    last, wanted = logits[..., -1, :], whole[:, -1]
    if last.shape[-1] == 1:
        last, wanted = F.pad(last, (1, 0)), F.pad(wanted, (1, 0))
    expected = wanted.log_softmax(-1)
    return (expected.exp() * (expected - last.log_softmax(-1))).sum(-1)
