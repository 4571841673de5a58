"""Numbers that outgrow memory: what of them can be known, and proved (docs/theory.md H).

Reading order: ``denominators`` (in factored form), ``residues`` (of scaled integers), ``balls``
(with a residue beside each), ``escalation`` (precision by precision), ``bit_query`` (single bits),
``escalated`` (the verdict on a certificate).
"""
