"""A real Kubernetes control plane for tests: etcd and kube-apiserver on loopback; TLS, RBAC, an audit log.

A fake API server can only repeat what its author believes. Admission, CEL rules, RBAC, server-side apply and
watches are the API server's own promises, so the end-to-end tests hold the operator against the real one.

There are no nodes and no scheduler: pods are stored, never run. Without `controllers=True` nobody collects
garbage and a deleted namespace stays `Terminating`; with it, kube-controller-manager runs the few controllers
that do.

    with ControlPlane() as cp:
        kubectl("--kubeconfig", cp.admin_kubeconfig, "apply", "-f", "crds/")
"""

from .audit import AuditEvent
from .errors import BinariesUnavailable, ControlPlaneError, NotStarted
from .plane import ControlPlane

__all__ = ["AuditEvent", "BinariesUnavailable", "ControlPlane", "ControlPlaneError", "NotStarted"]
