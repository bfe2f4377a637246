"""The tensor graph: values, primitives, their meaning, text and checks."""
