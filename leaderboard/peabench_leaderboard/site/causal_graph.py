"""The causal model as a picture: variables in boxes from the inputs to the output, each with its function."""

from markupsafe import Markup

from peabench.mechanism import CausalModel, to_text
from peabench_leaderboard.site.drawing import element, flow, group, picture, shortened, text, titled
from peabench_leaderboard.site.layering import layered

ROW = 52.0
BOX_HEIGHT = 40.0
INPUT_HEIGHT = 26.0
GAP = 54.0
"""Room between columns, where the edges run."""
LETTER = 7.3
LONGEST_FUNCTION = 26
MARGIN = 6.0


def causal_graph(model: CausalModel) -> Markup:
    """The part of a causal model that its output depends on."""
    used = _ancestors(model)
    names = [name for name in model.kinds if name in used]
    edges = [(parent, child) for parent, child in model.edges if child in used]
    layering = layered(names, edges)
    functions = {
        variable.name: to_text(variable.function) for variable in model.variables if variable.function is not None
    }
    widths = {
        name: 22 + LETTER * max(len(name), len(shortened(functions.get(name, ""), LONGEST_FUNCTION))) for name in names
    }
    column_widths = [
        max((widths[stop] for stop in column if isinstance(stop, str)), default=0.0) for column in layering.columns
    ]
    lefts = [MARGIN + sum(column_widths[:i]) + GAP * i for i in range(len(column_widths))]
    height = 2 * MARGIN + BOX_HEIGHT + ROW * max(layering.heights.values(), default=0.0)

    def middle(stop: object) -> float:
        return MARGIN + BOX_HEIGHT / 2 + ROW * layering.heights[stop]  # type: ignore[index]

    drawn = []
    for chain in layering.chains.values():
        parent, child = chain[0], chain[-1]
        assert isinstance(parent, str)
        assert isinstance(child, str)
        points = [(lefts[layering.column_of(parent)] + widths[parent], middle(parent))]
        for i, stop in enumerate(chain[1:-1], layering.column_of(parent) + 1):
            points += [(lefts[i], middle(stop)), (lefts[i] + column_widths[i], middle(stop))]
        first = layering.column_of(parent)
        if len(chain) > 1 and widths[parent] < column_widths[first]:
            points.insert(1, (lefts[first] + column_widths[first], middle(parent)))
        points.append((lefts[layering.column_of(child)], middle(child)))
        drawn.append(element("path", d=flow(points), class_="arrow"))
    for name in names:
        left, at, function = lefts[layering.column_of(name)], middle(name), functions.get(name)
        tall = BOX_HEIGHT if function is not None else INPUT_HEIGHT
        box = element("rect", x=left, y=at - tall / 2, width=widths[name], height=tall, rx=6)
        centre = left + widths[name] / 2
        if function is None:
            marks = [box, text((centre, at + 4.5), name, class_="name", text_anchor="middle")]
        else:
            marks = [
                box,
                text((centre, at - 3), name, class_="name", text_anchor="middle"),
                text((centre, at + 13), shortened(function, LONGEST_FUNCTION), class_="function", text_anchor="middle"),
            ]
        kind = "input" if function is None else "output" if name == model.output else "inner"
        told = name if function is None else f"{name} = {function}"
        drawn.append(titled(group(marks), told, class_=f"variable {kind}"))
    width = (lefts[-1] + column_widths[-1] if lefts else 0.0) + MARGIN
    description = (
        f"{len(names)} variables and {len(edges)} edges; from the inputs on the left to {model.output} on the right."
    )
    return picture("causal-graph", (width, height), "Causal model", description, drawn, "causal")


def unused(model: CausalModel) -> list[str]:
    """Variables that the output does not depend on."""
    used = _ancestors(model)
    return [name for name in model.kinds if name not in used]


def _ancestors(model: CausalModel) -> set[str]:
    found, waiting = {model.output}, [model.output]
    while waiting:
        for parent in model.variable(waiting.pop()).parents:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found
