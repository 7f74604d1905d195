"""What a mechanism says of variables held at fixed values, in words, for the card and `peabench show`."""

from collections.abc import Sequence

from peabench.certification.checks import Check
from peabench.mechanism import Constant, Mechanism, to_text


def steering_lines(mechanism: Mechanism, certificate: Sequence[Check]) -> list[str]:
    """One line for each claim: what is held at which value, where that acts, what is true then, how much it changes."""
    recorded = {
        name: value for check in certificate if check.name == "steering" for name, value in check.recorded.items()
    }
    lines = []
    for claim in mechanism.steering or ():
        held = ", ".join(f"{setting.variable} = {setting.value}" for setting in claim.settings)
        everywhere = claim.where == Constant(value=True)
        where = "on every input" if everywhere else f"where {to_text(claim.where)}, and nothing elsewhere"
        changed = recorded.get(f"{claim.name}: outputs that change")
        figure = "" if changed is None else f" ({int(changed):,} outputs change)"
        lines.append(f"{held}: {to_text(claim.outcome)} {where}{figure}")
    return lines
