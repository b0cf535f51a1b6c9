"""Ready-made pipelines in YAML, found by name after installation too."""
