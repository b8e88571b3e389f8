"""The runtimes that resources name: read from the cluster, connected on use, told about in their status."""
