"""Errors raised while an instance is turned into constraints."""

from __future__ import annotations

from ermbit_instances.errors import ErmbitError

__all__ = ["EncodingError", "EncodingLimitError"]


class EncodingError(ErmbitError, ValueError):
    """The arguments do not describe a constraint that can be encoded."""


class EncodingLimitError(ErmbitError, OverflowError):
    """The encoding would be larger than the caller allows."""
