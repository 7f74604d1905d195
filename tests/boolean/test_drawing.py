"""Fresh tasks from a key: neither names nor order tell the variant, the placement or the weights."""

import hashlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from peabench.certification import certify
from peabench.registry import Draft, families
from peabench.tasks import load_task
from peabench_tasks.boolean.drawing import commission, draw, renamed, reordered
from peabench_tasks.boolean.formulas import all_inputs, draw_formula
from peabench_tasks.boolean.mechanism import build_mechanism
from peabench_tasks.boolean.specifications import SIZES
from peabench_tasks.boolean.training import Commission

VARIANTS = ("tree", "decoy", "redundant", "cancelling", "rare", "split", "few")


def key(*purpose: object) -> bytes:
    return hashlib.sha256(str(purpose).encode()).digest()


@cache
def commissioned(kind: str, number: int) -> Commission:
    return commission(Draft(Path("nowhere"), kind, key(kind, number)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_renaming_and_reordering_keep_the_function(variant: str) -> None:
    formula = draw_formula(variant, SIZES["s"].formula if variant != "rare" else SIZES["m"].formula, 2**255 + 1)
    changed = reordered(renamed(formula, Random(1)), Random(2))
    inputs = all_inputs(formula.n_inputs)
    assert (changed.run(inputs)[changed.gates[-1].name] == formula.run(inputs)[formula.gates[-1].name]).all()
    assert changed.depth()[changed.gates[-1].name] == formula.depth()[formula.gates[-1].name]
    assert len(changed.focus) == len(formula.focus)


@pytest.mark.parametrize("variant", VARIANTS)
def test_names_are_numbers_and_the_mechanism_is_whole(variant: str) -> None:
    one = commissioned(f"{variant}-s", 0)
    mechanism = build_mechanism(one.plan, torch.eye(one.plan.config.d_model))
    names = [v.name for v in mechanism.causal_model.variables if v.name not in one.plan.formula.inputs]
    assert sorted(names) == sorted(f"v{i}" for i in range(len(names)))
    assert {alignment.variable for alignment in mechanism.alignments} >= set(names)
    text = json.dumps([v.model_dump(mode="json") for v in mechanism.causal_model.variables])
    assert not re.search(r"share|secret|carry|parity|exactly|rare|guard|both|g\d|decoy", text)


def test_public_formulas_are_not_drawn_again() -> None:
    public = {draw_formula("tree", SIZES["s"].formula, seed).gates for seed in range(3)}
    names = {gate.name for gates in public for gate in gates}
    assert names == {"g1", "g2", "g3", "g4"}
    texts = {build_mechanism(commissioned("tree-s", i).plan, torch.eye(24)).causal_model.to_text() for i in range(12)}
    assert len(texts) == 12


def placements(reorder: bool) -> list[float]:
    """For many tasks, the correlation of a variable's place in the list with its block, among those of one depth."""
    found = []
    for number in range(80):
        plan = commissioned("tree-m", number).plan
        gates = [gate.name for gate in plan.formula.gates]
        if not reorder:
            gates.sort(key=lambda name: plan.units[name])
        depth = plan.formula.depth()
        deepest = Counter(depth.values()).most_common(1)[0][0]
        alike = [name for name in gates if depth[name] == deepest]
        blocks = [plan.units[name][0] for name in alike]
        if len(alike) > 2 and len(set(blocks)) > 1:
            found.append(float(spearmanr(range(len(alike)), blocks).statistic))
    return found


def test_the_order_of_variables_does_not_tell_their_blocks_though_a_leaky_one_would() -> None:
    found, leaky = placements(reorder=True), placements(reorder=False)
    assert len(found) > 25
    assert abs(np.mean(found)) < 3 * np.std(found) / len(found) ** 0.5
    assert np.mean(leaky) > 0.8


def numbers(leaky: bool) -> list[float]:
    """The same for the numbers in the names."""
    found = []
    for i in range(60):
        plan = commissioned("tree-m", i).plan
        names = sorted(plan.units, key=lambda name: plan.units[name] if leaky else int(name[1:]))
        found.append(float(spearmanr(range(len(names)), [plan.units[name][0] for name in names]).statistic))
    return found


def test_names_do_not_tell_blocks_though_leaky_ones_would() -> None:
    found = numbers(leaky=False)
    assert abs(np.mean(found)) < 3 * np.std(found) / len(found) ** 0.5
    assert np.mean(numbers(leaky=True)) > 0.9


def test_every_seed_is_wide_and_every_task_has_its_own() -> None:
    seeds = [commissioned("tree-s", i).weight_seed for i in range(20)]
    assert len({seed & 0xFFFFFFFF for seed in seeds}) == 20
    assert all(seed.bit_length() == 256 for seed in seeds)


def test_every_kind_can_be_drawn() -> None:
    drawing = families()["boolean"].drawing
    assert drawing is not None
    for kind in drawing.kinds:
        variant, _, size = kind.rpartition("-")
        record = commissioned(kind, 1).record
        assert (record.variant, record.size) == (variant, size)
        assert [twin.provenance for twin in record.twins] == ["random_init"]


def test_a_drawn_task_is_certified(tmp_path: Path) -> None:
    drafts = [Draft(tmp_path / "a", "tree-xs", key("certified"))]
    shares = []
    draw(drafts, lambda name, share: shares.append(share))
    task = load_task(tmp_path / "a")
    assert all(check.passed for check in certify(task))
    assert shares[-1] == 1.0
