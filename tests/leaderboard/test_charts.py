"""Charts."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from peabench_leaderboard.site.charts import Dot, Series, cost_plot, interval_bar, pareto, size_plot

DOTS = st.lists(
    st.builds(
        Dot,
        label=st.text(max_size=12),
        page=st.just("scorer/x.html"),
        cost=st.sampled_from([0.0, 1.0, 50.0, 1e4, 3e6]),
        score=st.floats(-1e300, 1),
        interval=st.none() | st.just((-0.2, 0.9)),
        role=st.sampled_from(["method", "null", "oracle"]),
    ),
    min_size=1,
    max_size=6,
)


@given(DOTS)
def test_the_front_holds_whom_nobody_beats(dots: list[Dot]) -> None:
    front = pareto(dots)
    for dot in dots:
        beaten = any(
            other.cost <= dot.cost and other.score >= dot.score and (other.cost, other.score) != (dot.cost, dot.score)
            for other in dots
        )
        twin = any((other.cost, other.score) == (dot.cost, dot.score) for other in front)
        assert beaten != twin


def test_no_two_names_overlap() -> None:
    """Many methods that cost and earn nearly the same, as on a board of circuits."""
    places = [(13e3, 0.879), (15.6e3, 0.878), (53e3, 0.9), (42e3, 0.849), (64e3, 0.829), (97e3, 0.818), (53e3, 0.808)]
    dots = [Dot(f"some-method-or-other-{i}", "", *place, None, "method") for i, place in enumerate(places)]
    tree = ElementTree.fromstring(cost_plot("x", dots, ""))
    names = [t for t in tree.iter() if t.tag.endswith("text") and t.get("class") == "label"]
    boxes = [(float(t.attrib["x"]), float(t.attrib["y"]), 6.5 * len(t.text or "")) for t in names]
    assert len(boxes) == len(dots)
    for i, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other_width in boxes[:i]:
            assert abs(y - other_y) > 10 or x + width < other_x or other_x + other_width < x


def is_well_formed(picture: str) -> bool:
    tree = ElementTree.fromstring(picture)
    return all(element.tag != "script" for element in tree.iter())


@given(DOTS)
def test_a_plot_is_well_formed_whatever_scorers_are_called(dots: list[Dot]) -> None:
    named = [dot for dot in dots if dot.label.isprintable()]
    if named:
        assert is_well_formed(cost_plot("key", named, "../"))
        series = [Series(dot.label, dot.page, {"s": dot.score, "m": 0.5}, dot.role) for dot in named]
        assert is_well_formed(size_plot("key", series, ["s", "m"], ""))


def test_a_bar_stays_within_its_scale() -> None:
    bar = ElementTree.fromstring(interval_bar(-0.9, (-2.0, 0.4), -0.1, "method"))
    places = [float(element.get("x1", element.get("cx", "5"))) for element in bar.iter() if element is not bar]
    assert min(places) >= 5
    assert max(places) <= 145


def test_a_scorer_without_a_score_has_an_empty_bar() -> None:
    assert "point" not in interval_bar(None, None, 0.0, "method")
