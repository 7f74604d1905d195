"""Sealed suites: tasks drawn from a secret, published without their truth and with a commitment to it."""

from peabench.sealing.commitments import broken_commitment
from peabench.sealing.lots import Lot, draw_lots
from peabench.sealing.seal import seal
from peabench.sealing.truth import open_truth, sealed_suite, verify_truth

__all__ = ["Lot", "broken_commitment", "draw_lots", "open_truth", "seal", "sealed_suite", "verify_truth"]
