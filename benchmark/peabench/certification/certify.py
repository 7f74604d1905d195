"""A certificate: every check that applies to a task, made from its files alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from peabench.certification.behaviour import behaviour_check, decoy_check
from peabench.certification.beliefs import predictions_check, readouts_check, swaps_check
from peabench.certification.checks import Check
from peabench.certification.claims import same_claim
from peabench.certification.companions import same_behaviour_check
from peabench.certification.derived import attention_check, closed_form_check, settled_check
from peabench.certification.dormant_paths import dormant_path_check
from peabench.certification.edges import (
    alternatives_check,
    edges_check,
    edges_with_complement_check,
    necessity_check,
    sufficiency_check,
)
from peabench.certification.features import (
    features_check,
    joint_features_check,
    removed_features_check,
    unused_features_check,
)
from peabench.certification.frequencies import frequency_checks
from peabench.certification.interactions import interactions_check, interference_check, quadratic_form_check
from peabench.certification.rivals import hypotheses_check, rivals_check
from peabench.certification.steering import steering_check
from peabench.certification.subject import Subject, examine
from peabench.certification.subspaces import (
    alignment_check,
    alignment_with_complement_check,
    isolation_check,
    joint_alignment_check,
    minimal_basis_check,
)
from peabench.domain import ProductDomain
from peabench.live import live_subspaces
from peabench.mechanism import Expression, Mechanism
from peabench.networks import Network
from peabench.true_features import feature_sites

if TYPE_CHECKING:
    from peabench.tasks import Task


def certify(task: Task, progress: Callable[[str, float], None] | None = None) -> list[Check]:
    """Measure all checks that apply to a task, from its files.

    Args:
        task: the task.
        progress: told the name of each check and the share of checks done before it.

    Raises:
        PeabenchError: a file of the task is damaged.
    """
    companions = task.companions if "universality" in task.record.tracks else ()
    checks = certify_network(
        task.network(),
        task.mechanism,
        task.record.domain,
        task.twin("random_init"),
        task.twin("halfway"),
        companions=[companion.network() for companion in companions],
        training=task.record.training,
        progress=progress,
    )
    if "audits" in task.record.tracks:
        from peabench.certification.audits import audit_checks  # which imports tasks, as they import checks

        checks += audit_checks(task)
    return checks


def contradiction(task: Task, checks: Sequence[Check]) -> str | None:
    """What a task says of itself that its mechanism or the measured checks do not bear out, if anything.

    Raises:
        PeabenchError: a file of the task is damaged.
    """
    mechanism, record = task.mechanism, task.record
    claims = {
        "circuits": mechanism.circuit,
        "variables": mechanism.alignments,
        "features": feature_sites(mechanism),
        "algorithms": mechanism.algorithm,
        "universality": record.companions,
        "audits": record.companions and record.training and record.cues,
        "beliefs": mechanism.beliefs,
    }
    for track in record.tracks:
        if track in claims and not claims[track]:
            return f"task.json names the track {track}, and mechanism.json claims nothing for it"
    if record.provenance != mechanism.provenance:
        return f"task.json says {record.provenance}, mechanism.json {mechanism.provenance}"
    alike = same_claim(mechanism.algorithm.hypotheses, record.domain) if mechanism.algorithm else None
    if alike is not None:
        return f"mechanism.json calls one hypothesis {alike[0]} and {alike[1]}"
    stored, measured = (
        [(check.name, check.cases, check.errors, check.exhaustive, check.passed) for check in some]
        for some in (task.certificate, checks)
    )
    if stored != measured:
        return "certificate.json is not what was measured now"
    return None


@torch.inference_mode()
def certify_network(
    network: Network,
    mechanism: Mechanism,
    domain: ProductDomain,
    twin: Network | None,
    halfway: Network | None = None,
    *,
    companions: Sequence[Network] = (),
    training: Expression | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> list[Check]:
    """Measure all checks that apply to a network and the mechanism claimed for it."""
    subject = examine(network, mechanism, domain, seed, training)
    checks: list[Callable[[Subject], Check | None]] = [lambda s: predictions_check(s, twin) or behaviour_check(s, twin)]
    if mechanism.alignments:
        checks += [alignment_check, joint_alignment_check, minimal_basis_check]
    if mechanism.circuit is not None:
        checks += [
            edges_check,
            edges_with_complement_check,
            sufficiency_check,
            necessity_check,
            alternatives_check,
        ]
    if mechanism.steering:
        checks.append(steering_check)
    if live_subspaces(mechanism, network.graph):
        checks += [isolation_check, alignment_with_complement_check]
    checks += [
        features_check,
        joint_features_check,
        removed_features_check,
        unused_features_check,
        lambda s: interactions_check(s, twin),
        lambda s: quadratic_form_check(s, twin),
        lambda s: interference_check(s, twin),
        decoy_check,
        dormant_path_check,
        lambda s: attention_check(s, twin),
        closed_form_check,
        lambda s: settled_check(s, halfway, twin),
        hypotheses_check,
        lambda s: rivals_check(s, twin),
        lambda s: same_behaviour_check(s, companions, twin),
        lambda s: readouts_check(s, twin),
        swaps_check,
    ]
    done: list[Check] = []
    for i, check in enumerate(checks):
        if progress is not None:
            progress(getattr(check, "__name__", "behaviour_check"), i / len(checks))
        result = check(subject)
        if result is not None:
            done.append(result)
    done += frequency_checks(subject, halfway, twin)
    return done
