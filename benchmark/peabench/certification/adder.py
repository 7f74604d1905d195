"""A network that adds or subtracts integers modulo n, on all pairs of them, taken apart by frequency."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from peabench.certification.formula import attention_by_claim
from peabench.certification.subject import Subject
from peabench.fourier import (
    IntegerGrid,
    LogitGrid,
    all_pairs,
    closed_form,
    distance_irrelevance,
    embedded,
    explained,
    gradient_symmetricity,
    kept,
    logits_after,
    single_frequency_share,
    sums,
)
from peabench.networks import Network, ResidualMLP, Transformer

QUARTER = torch.pi / 4
"""Radians by which a component of the logits may miss the sum: less than this to either side."""
LEAD = 1e-3


@dataclass(frozen=True)
class Adder:
    """The network, and what its embedding writes and its output reads on all pairs."""

    network: Network
    sign: int
    """1 for sums, -1 for differences."""
    nodes: Float[Tensor, "first second node position d_model"]
    logits: LogitGrid

    @classmethod
    def of(cls, network: Network, modulus: int, sign: int) -> "Adder":
        """A network that reads two integers modulo n."""
        nodes = embedded(network, modulus)
        return cls(network, sign, nodes, logits_after(network, nodes))

    @property
    def modulus(self) -> int:
        """N."""
        return len(self.logits)

    @property
    def pairs(self) -> int:
        """How many there are."""
        return self.modulus**2

    @property
    def all_frequencies(self) -> list[int]:
        """From 1 to n // 2."""
        return list(range(1, self.modulus // 2 + 1))

    @cached_property
    def truth(self) -> IntegerGrid:
        """The right output."""
        return sums(self.modulus, self.sign)

    @cached_property
    def amplitudes(self) -> dict[int, float]:
        """Of each frequency, in the closed form that fits the logits best."""
        terms = closed_form(self.modulus, self.all_frequencies, "clock", self.sign)
        return dict(zip(self.all_frequencies, explained(self.logits, terms)[0], strict=True))

    @cached_property
    def embedded_power(self) -> dict[int, float]:
        """Of each frequency, in what the embedding writes for either number."""
        nodes = self.nodes.double()
        power = sum(torch.fft.rfft(nodes.mean(axis), dim=0).abs().square().flatten(1).sum(1) for axis in (0, 1))
        assert isinstance(power, Tensor)
        return {k: float(power[k]) for k in self.all_frequencies}

    def shares(self, frequencies: Iterable[int]) -> list[float]:
        """The share of all amplitudes that each of some frequencies has."""
        total = sum(abs(amplitude) for amplitude in self.amplitudes.values())
        return [abs(self.amplitudes[frequency]) / total for frequency in frequencies]

    def with_only(self, frequencies: Iterable[int]) -> LogitGrid:
        """Logits when the embedding keeps these frequencies and its mean."""
        return logits_after(self.network, kept(self.nodes, frequencies))

    def without(self, frequencies: Iterable[int]) -> LogitGrid:
        """Logits when the embedding loses these frequencies."""
        return logits_after(self.network, self.nodes - kept(self.nodes, frequencies) + kept(self.nodes, ()))

    def with_even_attention(self) -> LogitGrid:
        """Logits when every head looks at both tokens alike.

        Raises:
            TypeError: the network has no attention.
        """
        network = self.network
        if not isinstance(network, Transformer):
            raise TypeError(f"expected a Transformer, got a {type(network).__name__}")
        resid = network.start(self.nodes.flatten(0, 1).movedim(1, 0))
        everywhere = {query: torch.ones(resid.shape[:2], dtype=torch.bool) for query in range(resid.shape[1])}
        for index, stage in enumerate(network.graph.stages):
            if stage.kind != "attention":
                resid = network.stage_sum(index, resid)
                continue
            reads = resid.expand(3, *resid.shape)
            heads = [attention_by_claim(network, index, head, reads, everywhere) for head in range(len(stage.nodes))]
            resid = network.advance(index, resid, torch.stack(heads))
        return network.unembed(resid[:, -1]).view(self.logits.shape)

    def right(self, logits: LogitGrid) -> int:
        """Pairs whose right logit leads all others by a thousandth of the intact logits' spread or more.

        What rounding leaves of a component that was taken away leads by less.
        """
        ours = logits.gather(-1, self.truth[..., None])
        others = logits.scatter(-1, self.truth[..., None], -torch.inf).amax(-1, keepdim=True)
        return int((ours - others > LEAD * self.logits.std()).sum())

    def wrong(self, logits: LogitGrid) -> int:
        """Pairs whose largest logit is not the right one."""
        return int((logits.argmax(-1) != self.truth).sum())

    def loss(self, logits: LogitGrid) -> float:
        """Mean cross-entropy."""
        return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1).double(), self.truth.flatten()))

    def astray(self, frequency: int) -> int:
        """Pairs at which the logits' component of a frequency points elsewhere than at the sum."""
        return int(self.misses[..., frequency].sum())

    @cached_property
    def misses(self) -> Bool[Tensor, "first second frequency"]:
        """Whether each frequency's component misses the sum by an eighth of a turn or more."""
        component = torch.fft.fft(self.logits.double(), dim=-1)
        turn = 2j * torch.pi * self.truth[..., None] * torch.arange(self.modulus) / self.modulus
        return torch.angle(component * torch.exp(turn)).abs() >= QUARTER

    def neurons(self, frequencies: Sequence[int]) -> Float[Tensor, " neuron"]:
        """For each hidden neuron that varies, the share of its variance that the best one of some frequencies explains.

        Neurons of the last stage, at the last position.
        """
        resid = self.network.start(self.nodes.flatten(0, 1).movedim(1, 0))
        last = len(self.network.graph.stages) - 1
        for stage in range(last):
            resid = self.network.stage_sum(stage, resid)
        hidden = self.network.react(last, self.network.project(last, resid[:, -1])).flatten(1)
        spread = hidden.std(0)
        grid = hidden[:, spread > 0.01 * spread.max()].unflatten(0, (self.modulus, self.modulus))
        return single_frequency_share(grid, frequencies).amax(0)

    def neurons_off_phase(self) -> tuple[int, int]:
        """Squaring neurons whose output phase is not the sum (or difference) of its input phases, and neurons.

        A neuron reads cos(w a + one) + cos(w b + two) and writes cos(w c + three) (Gromov, arXiv:2301.02679, eq. 8);
        looked at are those of at least a hundredth of the strongest one's strength, each at its strongest frequency.
        """
        network = self.network
        if not isinstance(network, ResidualMLP) or network.config.words is None:
            raise TypeError(f"expected a ResidualMLP that reads words, got a {type(network).__name__}")
        block = network.block(0)
        tables = [network.w_embed[row : row + count] @ block.w_in[0] for row, count in network.config.words]
        written = (block.w_out[0] @ network.w_output).T
        one, two, three = (torch.fft.rfft(table.double(), dim=0)[1:] for table in (*tables, written))
        strength = (one * two * three).abs()
        best, at = strength.max(0)
        turn = three * one.conj() * (two.conj() if self.sign == 1 else two)
        off = turn.gather(0, at[None])[0].angle().abs() >= QUARTER
        strong = best > 0.01 * best.max()
        return int((off & strong).sum()), int(strong.sum())

    @cached_property
    def form_metrics(self) -> dict[str, float]:
        """What clocks and pizzas differ in; empty for a network without attention."""
        if not isinstance(self.network, Transformer):
            return {}
        return {
            "gradient symmetricity": round(gradient_symmetricity(self.network, self.modulus), 5),
            "distance irrelevance": round(distance_irrelevance(self.logits, self.sign), 5),
            "wrong with even attention": round(self.wrong(self.with_even_attention()) / self.pairs, 5),
        }


def sign_of(subject: Subject) -> int | None:
    """1 where the output is the sum of two integers modulo n, -1 where it is their difference, None elsewhere."""
    sizes = subject.domain.sizes
    if len(sizes) != 2 or sizes[0] != sizes[1] or subject.network.config.d_output != sizes[0]:
        return None
    truth = subject.model.run(subject.model.read_inputs(all_pairs(sizes[0])))[subject.model.output].view(sizes)
    return next((sign for sign in (1, -1) if torch.equal(truth, sums(sizes[0], sign))), None)
