"""What a mechanism says of beliefs, in words, for the card, `peabench show` and the site."""

from collections.abc import Sequence

from peabench.certification.checks import Check
from peabench.mechanism import Beliefs, HiddenMarkovProcess


def belief_lines(beliefs: Beliefs | None, certificate: Sequence[Check]) -> list[str]:
    """What is kept track of, where it is read and how well, and the process if there is one; none without beliefs."""
    if beliefs is None:
        return []
    recorded = {
        name: value
        for check in certificate
        if check.name in ("beliefs", "belief swap")
        for name, value in check.recorded.items()
    }
    until = "so far" if beliefs.position == "*" else f"up to position {beliefs.position}"
    known = (
        f"the value of {beliefs.variable}"
        if beliefs.process is None
        else f"how probable each of {beliefs.process.n_states} hidden states is after the tokens {until}"
    )
    lines = [f"State: {known}."]
    for readout in beliefs.readouts:
        figures = [
            f"{said} {recorded[key]:.3f}"
            for said, key in (("R²", f"{readout.site} R²"), ("moved by a swap", f"{readout.site} moved"))
            if key in recorded
        ]
        lines.append(f"Read at {readout.site}{': ' + ', '.join(figures) if figures else ''}.")
    return lines + (process_lines(beliefs.process) if beliefs.process is not None else [])


def process_lines(process: HiddenMarkovProcess) -> list[str]:
    """Each hidden state with the tokens that it writes and where it goes on to.

    >>> coin = HiddenMarkovProcess(transitions=(((0.5, 0.0), (0.0, 0.0)), ((0.0, 0.5), (0.0, 1.0))), start=(1.0, 0.0))
    >>> process_lines(coin)
    ['state 0 (at first 1.000): writes 0 and goes to 0 (0.500), writes 1 and goes to 1 (0.500)', \
'state 1 (at first 0.000): writes 1 and goes to 1 (1.000)']
    """
    lines = []
    for state, first in enumerate(process.start):
        ways = [
            f"writes {token} and goes to {following} ({probability:.3f})"
            for token, matrix in enumerate(process.transitions)
            for following, probability in enumerate(matrix[state])
            if probability > 0
        ]
        lines.append(f"state {state} (at first {first:.3f}): {', '.join(ways)}")
    return lines
