"""Tasks of both families."""

import pytest

from peabench_tasks.multitask_parity.specifications import specifications as multitask
from peabench_tasks.parity.specification import Specification
from peabench_tasks.sparse_parity.specifications import specifications as sparse


@pytest.fixture(params=[sparse, multitask], ids=["sparse", "multitask"])
def family_tasks(request: pytest.FixtureRequest) -> list[Specification]:
    """All tasks of a family, shipped or not."""
    listed: list[Specification] = list(request.param())
    return listed
