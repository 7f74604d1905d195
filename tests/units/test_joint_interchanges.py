"""What several things swapped at once make true: digits that are still to be read are as good as their sum."""

from tests.units.joint_interchanges import least_wrong, stages, still_read

from peabench.domain import ProductDomain
from peabench.mechanism import Boolean, Category, CausalModel, Variable
from peabench_tasks.units.lookup import lookup

BASE = 3
DIGIT, SUM = Category(values=BASE), Category(values=2 * BASE - 1)
DIGITS = tuple(Variable(name=f"{n}{i}", kind=DIGIT, columns=(2 * i + j,)) for i in range(3) for j, n in enumerate("ab"))
A0, B0, A1, B1, A2, B2 = DIGITS
DOMAIN = ProductDomain(sizes=(BASE,) * len(DIGITS))


def model(*computed: Variable) -> CausalModel:
    return CausalModel(variables=(*DIGITS, *computed), output="carry")


def carried(name: str, *parents: Variable) -> Variable:
    return lookup(name, Boolean(), parents, lambda *values: int(sum(values) >= BASE))


C1 = carried("c1", A0, B0)
C2 = carried("c2", A1, B1, C1)
S1, S2 = (lookup(name, SUM, digits, lambda a, b: a + b) for name, digits in (("s1", (A1, B1)), ("s2", (A2, B2))))
ONE_AFTER_ANOTHER = model(C1, C2, carried("carry", A2, B2, C2))
ALL_AT_ONCE = model(
    C1, S1, S2, lookup("carry", Boolean(), (C1, S1, S2), lambda c, low, high: int(high + int(low + c >= BASE) >= BASE))
)


def test_digits_that_wait_are_as_good_as_their_sum() -> None:
    assert least_wrong(ONE_AFTER_ANOTHER, [ALL_AT_ONCE], DOMAIN) == [0]
    assert least_wrong(ALL_AT_ONCE, [ONE_AFTER_ANOTHER], DOMAIN) == [0]


def test_what_is_not_there_is_not_made_of_what_is() -> None:
    first = lookup("first", DIGIT, (A0, A1), lambda a, b: (a + b) % BASE)
    answer = lookup("carry", Boolean(), (first, B0), lambda f, b: int(f + b >= BASE))
    other = lookup("other", DIGIT, (A1, B0), lambda a, b: (a + b) % BASE)
    rival = lookup("carry", Boolean(), (other, A0), lambda o, a: int(o + a >= BASE))
    (wrong,) = least_wrong(model(first, answer), [model(other, rival)], DOMAIN)
    assert wrong > 0.08


def test_stages_begin_behind_all_that_reads_inputs_alone() -> None:
    assert set(stages(ONE_AFTER_ANOTHER)) == {frozenset({"c1"}), frozenset({"c1", "c2"})}
    assert still_read(ONE_AFTER_ANOTHER, frozenset({"c1"})) == ["a1", "a2", "b1", "b2", "c1"]
    assert still_read(ONE_AFTER_ANOTHER, frozenset({"c1", "c2"})) == ["a2", "b2", "c2"]
