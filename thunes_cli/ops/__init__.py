"""Procedures an operator runs."""
