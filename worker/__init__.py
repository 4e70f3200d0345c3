"""Plane: one machine's containers, their logs and numbers, and the mesh that reaches them."""

VERSION = "0.1.0"
