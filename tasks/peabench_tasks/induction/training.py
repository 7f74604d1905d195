"""`peabench train induction`."""

from functools import partial

from peabench_tasks.derived.studies import train_studies
from peabench_tasks.induction.specifications import STUDIES

train = partial(train_studies, STUDIES)
