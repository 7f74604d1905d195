"""Transformers that predict hidden Markov processes by way of the belief about the hidden state."""
