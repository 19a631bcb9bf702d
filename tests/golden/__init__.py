"""Recorded inputs and outputs of the reference, and what checks an implementation against them.

``python -m tests.golden DIR`` checks any folder laid out like those in v15/: of other sizes, with other seeds.
"""
