"""Sessions and what they run on: the only layer a user of the package holds objects of."""
