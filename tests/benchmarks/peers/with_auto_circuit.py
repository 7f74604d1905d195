"""auto-circuit (on TransformerLens 2): exact patching of every edge, and edge attribution patching."""

from functools import partial

import ours
import torch
import workload
from auto_circuit.data import PromptDataLoader, PromptDataset
from auto_circuit.prune_algos.mask_gradient import mask_gradient_prune_scores
from auto_circuit.types import AblationType
from auto_circuit.utils.ablation_activations import src_ablations
from auto_circuit.utils.graph_utils import patch_mode, patchable_model
from interleaved import Comparison
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from workload import Data

comparison = Comparison("auto-circuit", "auto-circuit", "transformer-lens")
network = workload.network()
hooked = HookedTransformer(
    HookedTransformerConfig(
        n_layers=workload.LAYERS,
        d_model=workload.WIDTH,
        n_heads=workload.HEADS,
        d_head=workload.HEAD_WIDTH,
        d_mlp=workload.HIDDEN,
        n_ctx=workload.POSITIONS,
        d_vocab=workload.VOCABULARY,
        act_fn="gelu",
        normalization_type="LN",
        device="cpu",
        seed=0,
        use_attn_result=True,
        use_split_qkv_input=True,
        use_hook_mlp_in=True,
    )
)
hooked.load_state_dict(workload.hooked_weights(network), strict=False)
for parameter in hooked.parameters():
    parameter.requires_grad_(False)
model = patchable_model(hooked, factorized=True, slice_output="last_seq", separate_qkv=True, seq_len=None)
EDGES = list(model.edges)


def exact(data: Data) -> Tensor:
    with torch.inference_mode():
        ablations = src_ablations(model, data.source, AblationType.RESAMPLE)
        values = []
        for edge in EDGES:
            with patch_mode(model, ablations, [edge]):
                values.append(data.difference(model(data.base)))
    return torch.stack(values)


def loader(data: Data) -> PromptDataLoader:
    right, wrong = ([answer[None] for answer in answers] for answers in (data.right, data.wrong))
    prompts = PromptDataset(data.base, data.source, right, wrong)
    return PromptDataLoader(prompts, seq_len=None, diverge_idx=0, batch_size=len(data.base), shuffle=False)


def attributions(prompts: PromptDataLoader) -> Tensor:
    scores = mask_gradient_prune_scores(model, prompts, None, "logit", "avg_diff", mask_val=0.0)
    return torch.stack([scores[edge.dest.module_name][edge.patch_idx] for edge in EDGES])


def same_set(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Edges come in another order there, and the sign of a score is a matter of direction: compare sorted sizes."""
    return one.abs().sort().values, other.abs().sort().values


small, data = Data(64), Data(512)
comparison.row(
    "every edge exactly, batch 512",
    partial(ours.edges, network, data),
    partial(exact, data),
    3,
    check=lambda: same_set(ours.edges(network, small), exact(small)),
)
prompts = loader(data)
comparison.row(
    "edge attribution patching, batch 512",
    partial(ours.attributions, network, data),
    partial(attributions, prompts),
    5,
    check=lambda: same_set(ours.attributions(network, data), attributions(prompts)),
)
