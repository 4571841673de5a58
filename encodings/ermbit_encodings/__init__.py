"""Floor 2 of ermbit: an instance as constraints. Plain data only; no solver is imported here."""
