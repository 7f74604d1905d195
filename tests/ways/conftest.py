"""Tasks of all families of functions written in many ways."""

import pytest

from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.ways.specification import Specification

FAMILIES: tuple[type[Specification], ...] = (Distributive, SparseParity, MultitaskParity)


@pytest.fixture(params=FAMILIES, ids=lambda family: family.family)
def family_tasks(request: pytest.FixtureRequest) -> list[Specification]:
    """All tasks of a family, shipped or not."""
    family: type[Specification] = request.param
    return list(family.listed())


@pytest.fixture
def crossed_tasks(family_tasks: list[Specification]) -> list[Specification]:
    """Those whose networks compute the variables of two ways."""
    return [specification for specification in family_tasks if specification.variant == "crossed"]
