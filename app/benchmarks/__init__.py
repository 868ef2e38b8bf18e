"""Benchmarks of `bench`: one module each, with `run(setup) -> list[Figure]`."""
