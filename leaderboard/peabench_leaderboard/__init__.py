"""Standings from stored results."""
