"""The `hmm` family as the harness sees it; importing this needs no torch."""

from pathlib import Path

from peabench.registry import Family

HMM = Family(
    name="hmm",
    description="Transformers that predict a hidden Markov process by way of the belief about its hidden state.",
    checkpoints=Path(__file__).parent / "checkpoints",
    train="peabench_tasks.hmm.training:train",
)
