"""Comparing ermbit with general solvers: instance sets, runner, checker, tables."""
