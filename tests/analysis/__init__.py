"""Tests of tables, statistics, selection and claims, on synthetic runs."""
