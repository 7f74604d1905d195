"""`peabench train distributive`."""

from functools import partial

from peabench_tasks.distributive.specifications import Distributive
from peabench_tasks.ways.training import train as train_family

train = partial(train_family, listed=Distributive.listed)
