"""The papers' statements as records, and how they are judged: intervals, comparators, verdicts.

What is measured on curves belongs to `statistics`.
"""
