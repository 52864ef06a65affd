"""Journals: where the steps of durable runs are kept, so that none is taken twice."""
