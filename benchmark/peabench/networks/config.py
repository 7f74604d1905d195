"""What a network is built from, as data. Nothing here needs torch."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


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
    words: tuple[tuple[Annotated[int, Field(ge=0, le=65535)], Annotated[int, Field(ge=1, le=65536)]], ...] | None = None
    """Columns of words in place of 0 and 1: for each column, its first row of the embedding table, and how many values
    it takes, of a row each. Columns may share rows."""
    activation: Literal["relu", "square", "bilinear"] = "relu"
    """Of hidden neurons. `bilinear`: each is the product of two affine maps of what its unit reads."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialise(self)
        if self.words is None:
            fields.pop("words", None)  # what is drawn from a record's text stays what it was before
        if self.activation == "relu":
            fields.pop("activation", None)
        return fields

    @model_validator(mode="after")
    def _one_entry_per_column(self) -> Self:
        if self.words is not None and len(self.words) != self.n_inputs:
            raise ValueError(f"words: expected one entry for each of {self.n_inputs} columns, got {len(self.words)}")
        return self

    @property
    def d_projected(self) -> int:
        """What a unit takes from its read: a number for each hidden neuron, or for each of its two factors."""
        return self.d_hidden * (2 if self.activation == "bilinear" else 1)

    @property
    def values(self) -> tuple[int, ...]:
        """How many values each column takes at most."""
        return (2,) * self.n_inputs if self.words is None else tuple(count for _, count in self.words)

    @property
    def n_rows(self) -> int:
        """Rows of the embedding: one per column of 0 and 1, or one per word."""
        return self.n_inputs if self.words is None else max(first + count for first, count in self.words)


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
