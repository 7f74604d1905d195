"""`peabench train multitask_parity`."""

from functools import partial

from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.ways.training import train as train_family

train = partial(train_family, listed=MultitaskParity.listed)
