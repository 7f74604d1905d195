"""What is true of a network, as data: causal model, alignments, circuit, features, algorithm, defects, gauge."""

from peabench.mechanism.addresses import (
    Edge,
    EdgeAddress,
    EveryPosition,
    Node,
    NodeAddress,
    Reader,
    ReaderAddress,
    Site,
    SiteAddress,
)
from peabench.mechanism.alignments import Alignment, Location
from peabench.mechanism.attention import Attends
from peabench.mechanism.beliefs import Beliefs, Readout
from peabench.mechanism.causal_model import CausalModel, Variable
from peabench.mechanism.circuits import Circuit, CircuitEdge, Status
from peabench.mechanism.defects import Backdoor, Defect, Memorisation, ProxyGoal, Shortcut
from peabench.mechanism.dormant_paths import DormantPath
from peabench.mechanism.errors import MechanismError
from peabench.mechanism.evaluation import evaluate
from peabench.mechanism.expressions import (
    Add,
    And,
    Compare,
    Constant,
    Count,
    Expression,
    Gather,
    Implies,
    Majority,
    Modulo,
    Multiply,
    Negate,
    Not,
    Or,
    Select,
    Subtract,
    Table,
    VariableReference,
    Xor,
    children,
    variables,
)
from peabench.mechanism.features import Feature, hierarchy
from peabench.mechanism.gauge import Gauge, Symmetry
from peabench.mechanism.hypotheses import AlgorithmClaim, Automaton, Hypothesis, Level
from peabench.mechanism.inference import Environment, infer
from peabench.mechanism.interactions import Interactions
from peabench.mechanism.kinds import (
    Boolean,
    Category,
    Integer,
    Kind,
    Range,
    Real,
    bounds,
    cardinality,
    describe,
    dtype,
    trailing_shape,
)
from peabench.mechanism.likeness import fingerprint
from peabench.mechanism.mechanism import Mechanism, Provenance, json_schema
from peabench.mechanism.printing import to_text
from peabench.mechanism.processes import HiddenMarkovProcess, Words
from peabench.mechanism.renaming import neutral, renamed
from peabench.mechanism.steering import Setting, Steering
from peabench.mechanism.tensors import TensorReference

__all__ = [
    "Add",
    "AlgorithmClaim",
    "Alignment",
    "And",
    "Attends",
    "Automaton",
    "Backdoor",
    "Beliefs",
    "Boolean",
    "Category",
    "CausalModel",
    "Circuit",
    "CircuitEdge",
    "Compare",
    "Constant",
    "Count",
    "Defect",
    "DormantPath",
    "Edge",
    "EdgeAddress",
    "Environment",
    "EveryPosition",
    "Expression",
    "Feature",
    "Gather",
    "Gauge",
    "HiddenMarkovProcess",
    "Hypothesis",
    "Implies",
    "Integer",
    "Interactions",
    "Kind",
    "Level",
    "Location",
    "Majority",
    "Mechanism",
    "MechanismError",
    "Memorisation",
    "Modulo",
    "Multiply",
    "Negate",
    "Node",
    "NodeAddress",
    "Not",
    "Or",
    "Provenance",
    "ProxyGoal",
    "Range",
    "Reader",
    "ReaderAddress",
    "Readout",
    "Real",
    "Select",
    "Setting",
    "Shortcut",
    "Site",
    "SiteAddress",
    "Status",
    "Steering",
    "Subtract",
    "Symmetry",
    "Table",
    "TensorReference",
    "Variable",
    "VariableReference",
    "Words",
    "Xor",
    "bounds",
    "cardinality",
    "children",
    "describe",
    "dtype",
    "evaluate",
    "fingerprint",
    "hierarchy",
    "infer",
    "json_schema",
    "neutral",
    "renamed",
    "to_text",
    "trailing_shape",
    "variables",
]
