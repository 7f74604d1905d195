"""`peabench train multitask_parity`, and fresh tasks for sealed suites."""

from functools import partial

from peabench_tasks.multitask_parity.specifications import MultitaskParity
from peabench_tasks.ways.drawing import draw as draw_ways
from peabench_tasks.ways.training import train as train_family

train = partial(train_family, listed=MultitaskParity.listed)
draw = partial(draw_ways, family=MultitaskParity)
