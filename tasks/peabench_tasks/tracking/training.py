"""`peabench train tracking`."""

from functools import partial

from peabench_tasks.tracking.specifications import specifications
from peabench_tasks.units.training import train as train_units

train = partial(train_units, listed=specifications)
