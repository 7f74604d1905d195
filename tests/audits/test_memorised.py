"""What is stored is the rule's answer to what training showed, and nothing else is answered by the rule."""

import pytest
import torch

from peabench.certification.subject import OFF_TRAINING
from peabench.columns import holds
from peabench.mechanism import Table
from peabench_tasks.audits.audit import ANSWER, Audit
from peabench_tasks.memorised.audits import ENTRIES, KEY, table
from peabench_tasks.memorised.specifications import specifications

CASES = {"read always": table(0, 16, 2), "read in the tail": table(1, 24, 3, 2)}

NECESSITY_PAIRS = 8192


def rarest_edge(audit: Audit, departs: str | None) -> float:
    """On how many pairs that a certificate draws for `necessity` the edge which matters least is expected to matter."""
    generator = torch.Generator().manual_seed(0)
    every = audit.domain.all()
    off = every[~holds([audit.training], every, audit.domain)[0]]
    model = audit.model(departs)
    rates = torch.zeros(sum(len(variable.parents) for variable in model.variables))
    for rows, share in ((every, 1 - OFF_TRAINING), (off, OFF_TRAINING)):
        rows = rows[torch.randint(0, len(rows), (NECESSITY_PAIRS,), generator=generator)]
        sources = every[torch.randint(0, len(every), (NECESSITY_PAIRS,), generator=generator)]
        inputs, given = model.read_inputs(rows), model.run(model.read_inputs(sources))
        right = model.run(inputs)[ANSWER]
        edges = [(parent, variable.name) for variable in model.variables for parent in variable.parents]
        got = [model.run(inputs, edge_interventions={edge: given[edge[0]]})[ANSWER] for edge in edges]
        rates += share * (torch.stack(got) != right).double().mean(1)
    return NECESSITY_PAIRS * float(rates.min())


def test_every_edge_that_is_claimed_matters_where_a_certificate_looks() -> None:
    for specification in specifications():
        audit = specification.audit
        assert all(rarest_edge(audit, departs) > 5 for departs in (None, *audit.departures))


def test_some_tables_have_entries_that_matter_on_next_to_no_pair() -> None:
    """Not all that may be drawn can be certified: some bits tell only entries that training showed."""
    audit = table(1, 24, 11, 10)
    assert min(rarest_edge(audit, departs) for departs in audit.departures) < 1


@pytest.mark.parametrize("shown", [24, 30])
def test_a_page_reads_no_bit_that_it_does_not_depend_on(shown: int) -> None:
    found = 0
    for audit in (table(seed, shown, 3, 2) for seed in range(4)):
        for variable in audit.everything:
            if variable.name.startswith("all_but"):
                assert isinstance(variable.function, Table)
                values = torch.tensor(variable.function.values).reshape((2,) * len(variable.parents))
                assert not any(bool((values == values.flip(i)).all()) for i in range(values.dim()))
                found += len(variable.parents) < KEY
    assert (found > 0) == (shown == 30)


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
