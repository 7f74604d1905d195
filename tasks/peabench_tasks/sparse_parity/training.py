"""`peabench train sparse_parity`."""

from functools import partial

from peabench_tasks.sparse_parity.specifications import SparseParity
from peabench_tasks.ways.training import train as train_family

train = partial(train_family, listed=SparseParity.listed)
