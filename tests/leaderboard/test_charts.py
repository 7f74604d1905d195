"""Charts."""

from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from peabench_leaderboard.site.charts import SECONDS, Dot, Series, cost_plot, interval_bar, pareto, size_plot

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


@st.composite
def crowds(draw: st.DrawFn) -> list[Dot]:
    """Methods of long names that are all dear, and good or bad."""
    scores = draw(st.lists(st.sampled_from([0.98, 0.99, 1.0, 0.0, 0.01, 0.5]), min_size=1, max_size=20))
    return [Dot(f"some-method-or-other-{i}", "", 9e5, score, None, "method") for i, score in enumerate(scores)]


@given(crowds())
def test_names_stay_inside_the_picture_apart_and_are_led_to_where_they_moved(dots: list[Dot]) -> None:
    tree = ElementTree.fromstring(cost_plot("x", dots, ""))
    names = []
    for link in (item for item in tree.iter() if item.tag.endswith("g") and "dot" in item.get("class", "")):
        (point,) = (item for item in link.iter() if item.tag.endswith("circle"))
        (name,) = (item for item in link.iter() if item.get("class") == "label")
        x, y = float(name.attrib["x"]), float(name.attrib["y"]) - 4
        assert x >= 0
        assert x + 6.5 * len(name.text or "") <= 600
        assert 7 <= y <= 380 - 52
        leaders = [item for item in link.iter() if item.get("class") == "leader"]
        assert bool(leaders) == (abs(y - float(point.attrib["cy"])) > 6 or x < float(point.attrib["cx"]) + 6)
        names.append(y)
    heights = sorted(names)
    assert all(after - before > 14 for before, after in pairwise(heights))


def test_names_of_many_curves_stay_inside_the_picture() -> None:
    series = [Series(f"method-{i}", "", {"s": 0.0, "m": 0.0}, "method") for i in range(40)]
    tree = ElementTree.fromstring(size_plot("x", series, ["s", "m"], ""))
    heights = sorted(float(item.attrib["y"]) - 4 for item in tree.iter() if item.get("class") == "label")
    assert len(heights) == 40
    assert heights[0] >= 0
    assert heights[-1] <= 380
    assert min(after - before for before, after in pairwise(heights)) > 9


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


def test_where_nobody_runs_a_pass_cost_is_time() -> None:
    dots = [Dot("slow", "", 12.0, 0.5, None, "method"), Dot("fast", "", 0.02, 0.1, None, "method")]
    told = cost_plot("key", dots, "", SECONDS)
    assert "seconds per task, median" in told
    assert "slow: 0.500, 12 s<" in told
    assert "passes" not in told
    tree = ElementTree.fromstring(told)
    discs = [float(item.attrib["cx"]) for item in tree.iter() if item.tag.endswith("circle")]
    assert discs[0] - discs[1] > 200
