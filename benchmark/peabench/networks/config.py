"""What a network is built from, as data. Nothing here needs torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class ResidualMLPConfig(BaseModel):
    """A residual MLP whose blocks hold parallel units, as attention layers hold heads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["residual_mlp"] = "residual_mlp"
    n_inputs: int = Field(ge=1, le=1024)
    """Input columns; column i takes the values 0 and 1 and is embedded as -1 and +1."""
    d_model: int = Field(ge=1, le=4096)
    n_blocks: int = Field(ge=1, le=64)
    n_units: int = Field(ge=1, le=256)
    """Parallel units per block."""
    d_hidden: int = Field(ge=1, le=4096)
    """Hidden neurons of each unit."""
    d_output: int = Field(default=1, ge=1, le=4096)
    """Width of the output; 1 is a single logit, true where positive."""


class TransformerConfig(BaseModel):
    """A decoder (causal) or encoder (bidirectional) transformer with learned positions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["transformer"] = "transformer"
    d_vocabulary: int = Field(ge=1, le=65536)
    n_positions: int = Field(ge=1, le=4096)
    d_model: int = Field(ge=1, le=4096)
    n_blocks: int = Field(ge=1, le=64)
    n_heads: int = Field(ge=1, le=256)
    d_head: int = Field(ge=1, le=1024)
    d_mlp: int = Field(default=0, ge=0, le=16384)
    """Hidden neurons of the MLP; 0 leaves the MLP out."""
    causal: bool = True
    norm: Literal["none", "rms", "layer"] = "none"
    activation: Literal["relu", "gelu"] = "relu"
    d_output: int = Field(ge=1, le=65536)


NetworkConfig = Annotated[ResidualMLPConfig | TransformerConfig, Field(discriminator="kind")]
