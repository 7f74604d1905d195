"""`peabench train sparse_parity`, and fresh tasks for sealed suites."""

from functools import partial

from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.ways.drawing import draw as draw_ways
from peabench_tasks.ways.training import train as train_family

train = partial(train_family, listed=SparseParity.listed)
draw = partial(draw_ways, family=SparseParity)
