"""Models that read tables: trees, forests, linear models, and the pipelines around them."""
