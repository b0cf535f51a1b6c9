"""Preview: a page that shows the fused picture while the pipeline runs."""
