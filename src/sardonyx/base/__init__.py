"""Layer 0: element types, sizes, targets, options, reports. Imports numpy alone."""
