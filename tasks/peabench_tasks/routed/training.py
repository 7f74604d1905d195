"""`peabench train routed`."""

from functools import partial

from peabench_tasks.audits.training import train as train_audits
from peabench_tasks.routed.specifications import specifications

train = partial(train_audits, listed=specifications)
