"""Models, versions, artefacts, endpoints, traffic, keys: what is deployed, and who may ask."""
