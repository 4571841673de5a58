"""The trust kernel: exact evaluation of certificates. Imports floor 1 only."""

from ermbit.verifier.verdict import Verdict
from ermbit.verifier.verify import exact_loss, verify

__all__ = ["Verdict", "exact_loss", "verify"]
