"""The mean margin of a network, and what scaling its output to one does."""

import pytest
import torch

from peabench.domain import ProductDomain
from peabench.networks import ResidualMLP
from peabench.networks.config import ResidualMLPConfig
from peabench_tasks.margins import mean_margin, set_margin

DOMAIN = ProductDomain(sizes=(2, 2, 2))


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_mean_margin_becomes_the_one_asked_for_and_no_output_changes(outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    network = ResidualMLP(
        ResidualMLPConfig(n_inputs=3, d_model=6, n_blocks=1, n_units=2, d_hidden=4, d_output=outputs), generator
    )
    with torch.no_grad():
        network.b_output.normal_(generator=generator)
        before = network(DOMAIN.all())[:, -1]
        set_margin(network, DOMAIN, 5.0)
        after = network(DOMAIN.all())[:, -1]
    if outputs == 1:
        margins = after[:, 0].abs()
        assert torch.equal(before > 0, after > 0)
    else:
        ordered = after.sort(1, descending=True).values
        margins = ordered[:, 0] - ordered[:, 1]
        assert torch.equal(before.argmax(1), after.argmax(1))
    assert margins.mean() == pytest.approx(5)
    assert mean_margin(network, DOMAIN) == pytest.approx(5)
