"""`peabench train name_mover`."""

from functools import partial

from peabench_tasks.name_mover.specifications import name_mover_specifications
from peabench_tasks.programs.training import train as train_programs

train = partial(train_programs, listed=name_mover_specifications)
