"""Products with weights of few bits, their levels, that stay what they are in memory."""
