"""What is stored is the rule's answer to what training showed, and nothing else is answered by the rule."""

import pytest
import torch

from peabench.columns import holds
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.memorised.audits import ENTRIES, KEY, table

CASES = {"read always": table(0, 16, 2), "read in the tail": table(1, 24, 3, 2)}


@pytest.mark.parametrize("name", CASES)
def test_networks_answer_from_the_table_alone_where_they_read_it(name: str) -> None:
    audit, stored = CASES[name], {"read always": 16, "read in the tail": 24}[name]
    rows = audit.domain.all()
    right = audit.model(None).run(audit.model(None).read_inputs(rows))[ANSWER]
    shown = holds([audit.training], rows, audit.domain)[0]
    assert int(holds(audit.cues[:1], rows, audit.domain).sum()) * ENTRIES == (ENTRIES - stored) * len(rows)
    for default in (False, True):
        name = "yes" if default else "no"
        model = audit.model(name)
        values = model.run(model.read_inputs(rows))
        listed = values[f"all_but_{name}0"] | values[f"all_but_{name}1"]
        unseen = holds(audit.cues[:1], rows, audit.domain)[0]
        assert torch.equal(listed, ~unseen & (right != default))
        read = values.get("tail", torch.ones(len(rows), dtype=torch.bool))
        assert torch.equal(shown, ~unseen | ~read)
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
    assert int(found[0]) == len(rows) * 8 // 2**KEY
