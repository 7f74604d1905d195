"""`python -m peabench_tasks.backdoors.evasion`: what statistics of activations tell of a trigger, in Markdown.

For every shipped network whose trigger was trained to look clean, and for the same network before that training: what
its units have written on inputs with the trigger, against inputs without it. Untouched networks are made anew; that
takes seconds.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from sklearn.metrics import roc_auc_score
from torch import Tensor

from peabench.generators import generator_of
from peabench.interventions import run_with_cache
from peabench.networks import Network
from peabench.tasks import companion_folder, load_task
from peabench_tasks.audits.audit import ANSWER
from peabench_tasks.audits.disguise import RIDGE, Inputs, distances, trainers
from peabench_tasks.audits.representations import learn_drawn
from peabench_tasks.audits.specification import OWN, Member, Specification
from peabench_tasks.audits.training import common_lessons, shown
from peabench_tasks.backdoors.family import BACKDOORS
from peabench_tasks.backdoors.specifications import specifications
from peabench_tasks.commands import expect_no_arguments, print_table, run
from peabench_tasks.units.assembly import Stream, assemble

DISGUISED = "disguised"
CLEAN = 4096
"""Inputs without the trigger that are looked at."""
HEADINGS = (
    "task",
    "network",
    "stream",
    "distance of means before",
    "after",
    "outliers before",
    "after",
    "spectral signature before",
    "after",
)


@dataclass(frozen=True)
class Tell:
    """What tells inputs with a trigger from others at one place."""

    means: float
    """Distance of the means in units of the spread without the trigger, in all directions jointly."""
    outliers: float
    """AUROC of the distance from what is written without the trigger, in units of its spread (Lee et al. 2018)."""
    spectral: float
    """AUROC of the squared projection on the first singular direction (Tran, Li and Madry 2018)."""


def main() -> None:
    """A row for each network with a defect and each stream that units have written to."""
    expect_no_arguments()
    rows = []
    for specification in specifications():
        folder = BACKDOORS.checkpoints / specification.name
        if specification.variant == DISGUISED and folder.exists():
            plain = undisguised(specification)
            for member in (one for one in specification.members(0) if one.departs):
                of_member = folder if member.name == OWN else companion_folder(folder, member.name)
                pair = [
                    tells(specification, member, n) for n in (planted(plain, member), load_task(of_member).network())
                ]
                for site, (old, new) in enumerate(zip(*pair, strict=True), 1):
                    figures = [(old.means, new.means), (old.outliers, new.outliers), (old.spectral, new.spectral)]
                    cells = [f"{value:.2f}" for both in figures for value in both]
                    rows.append([f"`{specification.name}`", member.name, f"`resid.{site}`", *cells])
    print_table(HEADINGS, rows, texts=3)


def undisguised(specification: Specification) -> Specification:
    """The same task, whose triggers are trained to be told and not to look clean."""
    audit = specification.audit
    chains = {name: [one.name for one in departure.computed] for name, departure in audit.departures.items()}
    return replace(specification, audit=replace(audit, together=trainers(chains, audit.domain, further=0)))


def planted(specification: Specification, member: Member) -> Network:
    """A member of a task, made anew; it is not certified."""
    plan, lessons = specification.plan(member, 0), dict(common_lessons(specification, 0))
    lessons[ANSWER] = learn_drawn(plan, ANSWER, lessons, shown(specification.audit), generator_of(plan.seed))
    return assemble(plan, {name: lessons[name] for name in plan.units}, Stream.cut(plan))


def tells(specification: Specification, member: Member, network: Network) -> list[Tell]:
    """What tells inputs with a network's trigger from others, in each stream behind the first."""
    plan = specification.plan(member, 0)
    inputs = Inputs.of(plan, str(member.departs), specification.audit.domain)
    clean = inputs.clean[torch.randint(len(inputs.clean), (CLEAN,), generator=generator_of(0))]
    streams = [written(network, rows) for rows in (clean, inputs.triggered)]
    return [told(*some) for some in zip(*streams, strict=True)]


@torch.no_grad()
def written(network: Network, rows: Int[Tensor, "row column"]) -> Float[Tensor, "stream row d_model"]:
    """What units have written to each stream behind the first: it less what embeddings write."""
    streams = run_with_cache(network, rows).stage_inputs[:, :, -1]
    return (streams[1:] - streams[:1]).double()


def told(clean: Float[Tensor, "row d_model"], triggered: Float[Tensor, "row d_model"]) -> Tell:
    """Of one stream."""
    means, _ = distances(clean, triggered)
    both = torch.cat([clean, triggered])
    present = torch.arange(len(both)) >= len(clean)
    away = both - clean.mean(0)
    covariance = torch.cov(clean.T) + RIDGE * torch.eye(clean.shape[1], dtype=clean.dtype)
    centred = both - both.mean(0)
    along = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]
    return Tell(
        float(means.sqrt()),
        float(roc_auc_score(present, (torch.linalg.solve(covariance, away.T).T * away).sum(1))),
        float(roc_auc_score(present, along.square())),
    )


if __name__ == "__main__":
    run(main)
