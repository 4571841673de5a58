"""The trust kernel: exact evaluation of certificates. Imports floor 1 only."""

from ermbit.verifier.verify import Verdict, exact_loss, verify

__all__ = ["Verdict", "exact_loss", "verify"]
