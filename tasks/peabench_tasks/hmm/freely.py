"""What a freely trained network holds of a belief: `python -m peabench_tasks.hmm.freely [PROCESS] [STEPS]`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from peabench.affine import ridge
from peabench.belief_states import explained, first_of_each, histories, probabilities, read_at
from peabench.interventions import run_with_cache
from peabench.tasks import frozen
from peabench_tasks.hmm.planting import Plan, train_planted
from peabench_tasks.hmm.specifications import specifications

PENALTY = 1e-4


def main(arguments: Sequence[str]) -> int:
    """Print R² of affine read-outs, fitted to every history that can occur, of each layer and of the outputs."""
    name, steps = (*arguments, *("rrxor", "3000")[len(arguments) :])
    known = {str(specification.variant): specification for specification in specifications()}
    if name not in known or not steps.isdecimal():
        sys.stderr.write(f"expected one of {', '.join(known)} and a number of steps, got {name} {steps}\n")
        return 2
    specification = known[name]
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        plan = Plan(specification.process, specification.network, None, "*", int(steps))
        network = frozen(train_planted(plan, 0, Path(folder) / "state.safetensors").network)
    words = specification.process.words(specification.length).tokens
    seen = first_of_each(histories(words, everywhere=True))
    beliefs = specification.process.beliefs(words)
    following = specification.process.next_tokens(beliefs)
    run = run_with_cache(network, words)
    got = probabilities(run.logits)
    wrong = float((got - following).abs().sum(-1)[seen].mean() / 2)
    sys.stdout.write(f"{name}, {steps} steps: {wrong:.4f} of the next token's probability misplaced on average\n")
    layers = {f"resid.{i}": read_at(network, run, f"resid.{i}@*") for i in range(network.graph.n_blocks + 1)}
    layers["all of them"] = torch.cat(list(layers.values()), -1)
    layers["outputs"] = torch.cat([following, got, run.logits.double()], -1)
    for layer, rows in layers.items():
        found = ridge(rows[seen], beliefs[seen], PENALTY)
        sys.stdout.write(f"{layer:12} R² {explained(beliefs[seen], found(rows[seen])):.3f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
