"""`peabench train memorised`."""

from functools import partial

from peabench_tasks.audits.training import train as train_audits
from peabench_tasks.memorised.specifications import specifications

train = partial(train_audits, listed=specifications)
