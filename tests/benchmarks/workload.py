"""The workload of every row of `docs/performance.md`: one small transformer, its data, the same network in plain torch.

Two layers of attention and MLP, d_model 64, 4 heads, 12 positions, vocabulary 64; 120 sites: every (layer, head,
position) and (layer, MLP, position); metric: a logit difference, different for every example, at the last position.
"""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from peabench.interventions import LinearMetric
from peabench.networks import Transformer, TransformerConfig, build_network

LAYERS, WIDTH, HEADS, POSITIONS, VOCABULARY, HIDDEN = 2, 64, 4, 12, 64, 256
HEAD_WIDTH = WIDTH // HEADS
DAS_POSITION, DAS_ROWS, DAS_STEPS, DAS_BATCH, DAS_RATE = 5, 1920, 300, 128, 1e-2
DAS_SITE = f"block0.mlp@{DAS_POSITION}"


def network() -> Transformer:
    """The network, frozen, without a bias in the unembedding (TransformerLens 4 has none)."""
    config = TransformerConfig(
        d_vocabulary=VOCABULARY,
        n_positions=POSITIONS,
        d_model=WIDTH,
        n_blocks=LAYERS,
        n_heads=HEADS,
        d_head=HEAD_WIDTH,
        d_mlp=HIDDEN,
        norm="layer",
        activation="gelu",
        d_output=VOCABULARY,
    )
    generator = torch.Generator().manual_seed(0)
    built = build_network(config, generator)
    assert isinstance(built, Transformer)
    for name, parameter in built.named_parameters():
        parameter.requires_grad_(False)
        if name != "b_output":
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return built


class Data:
    """Base and source inputs, and for every example the logits that the metric compares."""

    def __init__(self, rows: int, seed: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.base, self.source = torch.randint(0, VOCABULARY, (2, rows, POSITIONS), generator=generator)
        self.right = torch.randint(0, VOCABULARY, (rows,), generator=generator)
        self.wrong = (self.right + torch.randint(1, VOCABULARY, (rows,), generator=generator)) % VOCABULARY

    def metric(self, positions: tuple[int, ...] = (-1,)) -> LinearMetric:
        """The metric as the engine takes it."""
        return LinearMetric.logit_difference(self.right, self.wrong, VOCABULARY, positions)

    def difference(self, logits: Tensor, positions: tuple[int, ...] = (-1,)) -> Tensor:
        """The metric's mean over examples, as peers take it."""
        seen = logits[:, list(positions)]
        at = self.right[:, None, None].expand(-1, len(positions), 1)
        other = self.wrong[:, None, None].expand(-1, len(positions), 1)
        return (seen.gather(2, at) - seen.gather(2, other)).mean()


EVERY = tuple(range(POSITIONS))
SITES = [(layer, part, position) for layer in range(LAYERS) for part in range(HEADS + 1) for position in EVERY]
"""(layer, head or 4 for the MLP, position) of all 120 sites, in the order of the engine's result."""
LIVE_SITES = [site for site in SITES if site[0] < LAYERS - 1 or site[2] == POSITIONS - 1]
"""Those that can reach a metric at the last position."""


class Attention(nn.Module):
    """Attention in plain torch, with a place for hooks on the mixed values of all heads."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.hook_z = nn.Identity()
        self.register_buffer("mask", torch.full((POSITIONS, POSITIONS), -1e9).triu(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, _ = x.shape
        q, k, v = (layer(x).view(rows, length, HEADS, HEAD_WIDTH).transpose(1, 2) for layer in (self.q, self.k, self.v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(HEAD_WIDTH) + self.mask
        z = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, length, WIDTH)
        mixed: Tensor = self.o(self.hook_z(z))
        return mixed


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.i, self.o = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.o(F.gelu(self.i(x)))
        return out


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.attn, self.ln2, self.mlp = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH), MLP()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        out: Tensor = x + self.mlp(self.ln2(x))
        return out


class Plain(nn.Module):
    """The same network as anyone would write it, for hooks, nnsight and pyvene."""

    def __init__(self) -> None:
        super().__init__()
        self.emb, self.pos = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.lnf, self.unemb = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tok: Tensor) -> Tensor:
        x = self.emb(tok) + self.pos.weight[: tok.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.unemb(self.lnf(x))
        return logits


def plain(ours: Transformer) -> Plain:
    """The network in plain torch with the same weights, frozen."""
    model = Plain().requires_grad_(False)
    pairs = [
        (model.emb.weight, ours.w_embed),
        (model.pos.weight, ours.w_position),
        (model.lnf.weight, ours.norm_output.gain),
        (model.lnf.bias, ours.norm_output.shift),
        (model.unemb.weight, ours.w_output.T),
        (model.unemb.bias, ours.b_output),
    ]
    for layer, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        theirs = ours.block(layer)
        for norm, other in ((block.ln1, theirs.norm_attention), (block.ln2, theirs.norm_mlp)):
            pairs += [(norm.weight, other.gain), (norm.bias, other.shift)]
        for i, linear in enumerate((block.attn.q, block.attn.k, block.attn.v)):
            pairs.append((linear.weight, theirs.attention.w_qkv[:, i].permute(0, 2, 1).reshape(WIDTH, WIDTH)))
            pairs.append((linear.bias, theirs.attention.b_qkv[:, i].flatten()))
        pairs += [
            (block.attn.o.weight, theirs.attention.w_o.flatten(0, 1).T),
            (block.attn.o.bias, theirs.attention.b_o),
            (block.mlp.i.weight, theirs.mlp.w_in.T),
            (block.mlp.i.bias, theirs.mlp.b_in),
            (block.mlp.o.weight, theirs.mlp.w_out.T),
            (block.mlp.o.bias, theirs.mlp.b_out),
        ]
    for parameter, value in pairs:
        parameter.copy_(value)
    return model.eval()


def hooked_weights(ours: Transformer) -> dict[str, Tensor]:
    """The weights under the names of TransformerLens' HookedTransformer."""
    state: dict[str, Tensor] = {
        "embed.W_E": ours.w_embed,
        "pos_embed.W_pos": ours.w_position,
        "ln_final.w": ours.norm_output.gain,
        "ln_final.b": ours.norm_output.shift,
        "unembed.W_U": ours.w_output,
        "unembed.b_U": ours.b_output,
    }
    for layer in range(LAYERS):
        block, at = ours.block(layer), f"blocks.{layer}."
        for name, norm in (("ln1", block.norm_attention), ("ln2", block.norm_mlp)):
            state |= {f"{at}{name}.w": norm.gain, f"{at}{name}.b": norm.shift}
        for i, port in enumerate("QKV"):
            state |= {
                f"{at}attn.W_{port}": block.attention.w_qkv[:, i],
                f"{at}attn.b_{port}": block.attention.b_qkv[:, i],
            }
        state |= {
            f"{at}attn.W_O": block.attention.w_o,
            f"{at}attn.b_O": block.attention.b_o,
            f"{at}mlp.W_in": block.mlp.w_in,
            f"{at}mlp.b_in": block.mlp.b_in,
            f"{at}mlp.W_out": block.mlp.w_out,
            f"{at}mlp.b_out": block.mlp.b_out,
        }
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


@cache
def das_data(ours: Transformer) -> tuple[Tensor, Tensor, Tensor]:
    """Base and source inputs and the class that the source run predicts."""
    data = Data(DAS_ROWS, seed=7)
    with torch.inference_mode():
        return data.base, data.source, ours(data.source)[:, -1].argmax(-1).clone()


def hook_sweep(model: Plain, data: Data, sites: list[tuple[int, int, int]], positions: tuple[int, ...]) -> Tensor:
    """What a careful user writes by hand: one forward hook and one forward pass for every site."""
    kept: dict[tuple[int, bool], Tensor] = {}

    def place(layer: int, part: int) -> nn.Module:
        block = model.blocks[layer]
        assert isinstance(block, Block)
        return block.attn.hook_z if part < HEADS else block.mlp

    with torch.inference_mode():
        handles = []
        for layer in range(LAYERS):
            for part in (0, HEADS):

                def keep(_m: nn.Module, _i: object, out: Tensor, key: tuple[int, bool] = (layer, part < HEADS)) -> None:
                    kept[key] = out

                handles.append(place(layer, part).register_forward_hook(keep))
        model(data.source)
        for handle in handles:
            handle.remove()
        values = []
        for layer, part, position in sites:
            where = slice(part * HEAD_WIDTH, (part + 1) * HEAD_WIDTH) if part < HEADS else slice(None)

            def patch(
                _m: nn.Module,
                _i: object,
                out: Tensor,
                position: int = position,
                where: slice = where,
                theirs: Tensor = kept[layer, part < HEADS],
            ) -> Tensor:
                out = out.clone()
                out[:, position, where] = theirs[:, position, where]
                return out

            handle = place(layer, part).register_forward_hook(patch)
            values.append(data.difference(model(data.base), positions))
            handle.remove()
    return torch.stack(values)
