"""The convex problem, its solvers and its audit."""
