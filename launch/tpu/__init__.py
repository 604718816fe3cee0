"""Training on Cloud TPUs: plain commands over gcloud, and a GKE manifest.

docs/tpu.md has the order of things. Modules whose name begins with an
underscore are shared; all others are entry points.
"""
