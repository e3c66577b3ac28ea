"""Ready-made pipelines: examples, templates for `sagewright init`, and golden tests."""
