"""The operator's side of Kubernetes: kopf handlers that only trigger, and the port to the API server."""
