"""Mixed Boolean/arithmetic constraints: linear rational ones, and polynomial ones."""

from ermbit_encodings.mixed.breaking import sign_patterns
from ermbit_encodings.mixed.encode import MixedEncoding, encode_mixed
from ermbit_encodings.mixed.program import MixedProgram, NotLinearError, Row

__all__ = [
    "MixedEncoding",
    "MixedProgram",
    "NotLinearError",
    "Row",
    "encode_mixed",
    "sign_patterns",
]
