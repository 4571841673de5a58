"""The instance sets on which ermbit is compared with general solvers."""
