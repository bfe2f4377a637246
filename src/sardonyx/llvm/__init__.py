"""LLVM IR text and machine code."""
