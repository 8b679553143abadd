"""Visitors with known intent, for demos, tests and benchmarks.

In: a seed and a number of visitors.
Out: the requests that real trackers would send; the true conversion probability of each visitor, in a file of its own.
"""
