"""What `bench` measures: one module a benchmark, each with `run(setup) -> list[Figure]`."""
