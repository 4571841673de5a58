"""The command line: one module a command, no logic. ``main`` is its only entry."""
