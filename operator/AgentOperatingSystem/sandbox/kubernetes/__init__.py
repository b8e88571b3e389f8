"""An in-memory Kubernetes API, good enough for kubectl and kopf: a development tool, loopback only.

It serves what this project needs (custom resources with everything around them, namespaces, events, leases,
secrets, config maps, service accounts) and nothing that runs containers. One contract suite holds it to
the behaviour of a real kube-apiserver.
"""

from .embedded import EmbeddedKubernetes
from .traffic import RequestRecord

__all__ = ["EmbeddedKubernetes", "RequestRecord"]
