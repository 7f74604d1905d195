"""What is stored is the rule's answer to what training showed, and nothing else is answered by the rule."""

import pytest
import torch

from peabench.columns import holds
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.memorised.audits import ENTRIES, KEY, NOT_STORED, table

CASES = {"read always": table(0, 32, 2), "read in the tail": table(1, 48, 3, 2)}


@pytest.mark.parametrize("name", CASES)
def test_networks_answer_from_the_table_alone_where_they_read_it(name: str) -> None:
    audit, stored = CASES[name], {"read always": 32, "read in the tail": 48}[name]
    rows = audit.domain.all()
    right = audit.model(None).run(audit.model(None).read_inputs(rows))[ANSWER]
    shown = holds([audit.training], rows, audit.domain)[0]
    for default in (False, True):
        model = audit.model("yes" if default else "no")
        values = model.run(model.read_inputs(rows))
        pages = torch.stack([values[f"page{page}"] for page in range(2)])
        known = (pages != NOT_STORED).any(0)
        assert int(known.sum()) * ENTRIES == stored * len(rows)
        assert bool((pages != NOT_STORED).sum(0).le(1).all())
        read = values.get("tail", torch.ones(len(rows), dtype=torch.bool))
        assert torch.equal(shown, known | ~read)
        assert torch.equal(values[ANSWER][shown], right[shown])
        assert bool((values[ANSWER][~shown] == default).all())


def test_what_the_rule_reads_is_not_read_where_the_table_always_is() -> None:
    audit = CASES["read always"]
    for name in audit.departures:
        assert not {"part", "rule"} & set(audit.model(name).kinds)


def test_the_unseen_entries_are_a_cue_and_sets_of_the_same_size_are_not() -> None:
    audit = CASES["read in the tail"]
    rows = audit.domain.all()
    found = holds(audit.cues[:4], rows, audit.domain).sum(1)
    assert len(set(found.tolist())) == 1
    assert int(found[0]) == len(rows) * 16 // 2**KEY
