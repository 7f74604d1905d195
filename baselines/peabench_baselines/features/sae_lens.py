"""SAELens: dictionaries that the library sae-lens trained."""

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from importlib.util import find_spec
from tempfile import TemporaryDirectory

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.tracks.feature_questions import FeatureQuestion
from peabench_baselines.features.bounded_fits import numpy_seed, shortest, split, widths
from peabench_baselines.features.fitted_directions import Fit, FittedDirections
from peabench_baselines.features.sparse_autoencoder import size_of

COUNTS = (2.0, 6.0)
"""Latents that fire per row in the mean."""
STEPS = 300
BATCH_SIZE = 512
LEARNING_RATE = 1e-2


class SAELens(FittedDirections):
    """The library's BatchTopK autoencoder by the library's own trainer, auxiliary loss and initialisation included.

    300 steps of 512 rows for each of two sparsities and three widths (a quarter, a half and all of the budget); the one
    with the shortest description of held-out rows is taken. Rows are centred and scaled to a mean squared norm of their
    number of dimensions, as the library's defaults expect.
    """

    name = "sae-lens"
    reference = "https://github.com/decoderesearch/SAELens"  # Bloom, Tigges, Duong and Chanin 2024

    def applicable(self, question: FeatureQuestion) -> str | None:
        """Declines where sae-lens is not installed."""
        return (
            None
            if find_spec("sae_lens")
            else "It needs sae-lens, which is not installed: pip install 'peabench[sae-lens]'."
        )

    def fit(self, rows: Float[Tensor, "row d_model"], latents: int, generator: torch.Generator) -> Fit:
        """The library draws from torch's global generator, which is seeded for it and then put back."""
        known, held_out = split(rows, len(rows), generator)
        centre = known.mean(0)
        with torch.random.fork_rng(devices=[]), redirect_stderr(io.StringIO()):  # its progress bar
            torch.manual_seed(numpy_seed(generator))
            fits = [self.dictionary(known, centre, width, count) for width in widths(latents) for count in COUNTS]
        return shortest(fits, centre, held_out, len(known))

    def dictionary(
        self, rows: Float[Tensor, "row d_model"], centre: Float[Tensor, " d_model"], width: int, count: float
    ) -> Fit:
        """A dictionary of one width and sparsity, as the library would load it from disk."""
        from sae_lens import SAE, BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
        from sae_lens.config import LoggingConfig, SAETrainerConfig
        from sae_lens.training.sae_trainer import SAETrainer

        d_model = rows.shape[1]
        scale = size_of(rows) / d_model**0.5

        def batches() -> Iterator[Float[Tensor, "row d_model"]]:
            while True:
                yield (rows[torch.randint(len(rows), (BATCH_SIZE,))] - centre) / scale

        settings = SAETrainerConfig(
            total_training_samples=STEPS * BATCH_SIZE,
            train_batch_size_samples=BATCH_SIZE,
            lr=LEARNING_RATE,
            lr_end=LEARNING_RATE / 10,
            lr_decay_steps=STEPS // 2,
            logger=LoggingConfig(log_to_wandb=False),
        )
        made = BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=d_model, d_sae=width, k=min(count, d_model / 2)))
        with torch.enable_grad():
            SAETrainer(settings, made, batches()).fit()
        with TemporaryDirectory() as folder:
            made.save_inference_model(folder)  # folds what training kept apart, such as the threshold
            trained = SAE.load_from_disk(folder)

        def encode(points: Float[Tensor, "row d_model"]) -> Float[Tensor, "row latent"]:
            with torch.no_grad():
                activations: Tensor = trained.encode((points - centre) / scale) * scale
            return activations

        return Fit(trained.W_dec.detach().clone(), encode)
