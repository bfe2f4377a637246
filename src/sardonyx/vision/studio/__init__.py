"""Collections of pictures that people label in a browser, and their trainings. Knows no page."""
