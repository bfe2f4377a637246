"""Trains detectors on pictures with boxes: a light head over the maps of a frozen network of the zoo."""
