"""The checks behind a certificate: truth that can fail."""

from peabench.certification.certify import certify, certify_network, contradiction
from peabench.certification.checks import Check, NullCheck, upper_bound

__all__ = ["Check", "NullCheck", "certify", "certify_network", "contradiction", "upper_bound"]
