"""A loop nest as LLVM IR text: scopes, accesses, expressions, loops, tiles."""
