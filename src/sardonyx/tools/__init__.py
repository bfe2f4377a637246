"""What people run: the command line, measuring, inspecting. Above everything else."""
