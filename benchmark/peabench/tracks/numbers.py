"""Answers that are one real number for each thing asked about."""

import torch
from jaxtyping import Float
from torch import Tensor

from peabench.errors import InvalidAnswer
from peabench.plain import refuse_odd_tensors


def one_number_each(answer: object, kind: type, field: str, count: int, things: str) -> Float[Tensor, " thing"]:
    """The numbers of an answer, in double precision.

    Args:
        answer: what a scorer gave.
        kind: the track's type of answers.
        field: of the answer that holds the numbers.
        count: how many things were asked about.
        things: what they are, as the question calls them.

    Raises:
        InvalidAnswer: it is not one finite real number for each of them.
    """
    if not isinstance(answer, kind):
        raise InvalidAnswer(
            f"Expected {_article(kind.__name__)}, got a {type(answer).__name__}; answer {kind.__name__}({field})."
        )
    return numbers_of(answer, field, (count,), f"real number for each of the {count} {things}", f"question.{things}")


def numbers_of(answer: object, field: str, shape: tuple[int, ...], things: str, order: str) -> Float[Tensor, "*thing"]:
    """The numbers of one field of an answer, in double precision.

    Args:
        answer: of the track's type.
        field: of the answer that holds the numbers.
        shape: that they must have.
        things: what there is one of, in words.
        order: what they must be in the order of.

    Raises:
        InvalidAnswer: they are not finite real numbers of this shape.
    """
    refuse_odd_tensors(answer)
    numbers = getattr(answer, field)
    if not isinstance(numbers, Tensor):
        raise InvalidAnswer(
            f"Expected {field} in a tensor, got a {type(numbers).__name__}; use torch.as_tensor({field})."
        )
    if numbers.shape != shape:
        raise InvalidAnswer(
            f"Expected one {things}, got {numbers.dtype} {list(numbers.shape)}; answer in the order of {order}."
        )
    if not bool(torch.isfinite(numbers).all()):
        raise InvalidAnswer(f"Expected finite {field}, got NaN or infinity; answer finite numbers only.")
    return numbers.double()


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"
