"""Graph -> Program: the stages in order, records, storages, jumps and bodies."""
