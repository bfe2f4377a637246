"""LLVM IR as text: instructions, vectors, functions of numbers."""
