"""The charts, the image and what Argo CD reads: everything that can be checked without a cluster."""
