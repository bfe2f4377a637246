"""Kernels that only move elements: one module for each size of elements, which all models share."""
