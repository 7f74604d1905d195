"""`peabench train max_of_k`."""

from functools import partial

from peabench_tasks.derived.studies import train_studies
from peabench_tasks.max_of_k.specifications import STUDIES

train = partial(train_studies, STUDIES)
