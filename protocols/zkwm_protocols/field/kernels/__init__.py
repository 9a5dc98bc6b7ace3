"""Compiled field arithmetic. The prover alone imports it; the verifier never does."""
