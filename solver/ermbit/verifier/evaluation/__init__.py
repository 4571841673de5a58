"""Evaluation and differentiation, written once over any arithmetic.

Reading order: ``arithmetic`` (what is needed of numbers), ``evaluate`` (a network),
``sample_loss``, ``backpropagation``, ``risk`` (the empirical risk and its gradient); ``growth`` and
``sizes`` bound bit-lengths beforehand.
"""
