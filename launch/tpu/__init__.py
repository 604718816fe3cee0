"""Training on Cloud TPU VMs, by gcloud; see docs/tpu.md."""
