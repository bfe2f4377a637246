"""Matrix products with seven multiplications of quarters in the place of eight."""
