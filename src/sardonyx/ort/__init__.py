"""The onnxruntime API over programs: sessions, options, values, bindings."""
