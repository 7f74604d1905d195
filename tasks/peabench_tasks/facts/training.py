"""`peabench train facts`."""

from functools import partial

from peabench_tasks.facts.specifications import specifications
from peabench_tasks.units.training import train as train_units

train = partial(train_units, listed=specifications)
