"""The command lines of the three servers: pure, so that what is switched on can be read in one place."""

from dataclasses import dataclass
from pathlib import Path

from .binaries import Binaries
from .certificates import KeyPair
from .release import APISERVER, CONTROLLERS, ETCD

# What a cluster does by itself after a deletion or for a new namespace; nothing here runs pods.
RUNNING_CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)


@dataclass(frozen=True)
class Layout:
    """Where one control plane keeps its files and on which ports it listens."""

    folder: Path
    binaries: Binaries
    ca_file: Path
    serving: KeyPair
    token_keys: KeyPair
    api_port: int
    etcd_port: int
    peer_port: int

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def audit_policy(self) -> Path:
        return self.folder / "audit-policy.json"


def etcd_command(layout: Layout) -> list[str]:
    client, peer = (f"https://127.0.0.1:{port}" for port in (layout.etcd_port, layout.peer_port))
    return [
        layout.binaries.path(ETCD),
        "--name=test",
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        f"--cert-file={layout.serving.certificate}",
        f"--key-file={layout.serving.key}",
        f"--trusted-ca-file={layout.ca_file}",
        "--client-cert-auth",
        f"--peer-cert-file={layout.serving.certificate}",
        f"--peer-key-file={layout.serving.key}",
        f"--peer-trusted-ca-file={layout.ca_file}",
        "--peer-client-cert-auth",
        # The data need only outlive a process, not the machine.
        "--unsafe-no-fsync",
    ]


def apiserver_command(layout: Layout) -> list[str]:
    return [
        layout.binaries.path(APISERVER),
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.api_port}",
        f"--etcd-servers=https://127.0.0.1:{layout.etcd_port}",
        f"--etcd-cafile={layout.ca_file}",
        f"--etcd-certfile={layout.serving.certificate}",
        f"--etcd-keyfile={layout.serving.key}",
        f"--tls-cert-file={layout.serving.certificate}",
        f"--tls-private-key-file={layout.serving.key}",
        f"--client-ca-file={layout.ca_file}",
        f"--cert-dir={layout.folder / 'apiserver'}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={layout.token_keys.certificate}",
        f"--service-account-signing-key-file={layout.token_keys.key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        # Nobody reaches it as the Service `kubernetes`, whose endpoint may not be a loopback address.
        "--endpoint-reconciler-type=none",
        # It refuses a pod until its namespace's default service account was made by a controller.
        "--disable-admission-plugins=ServiceAccount",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-format=json",
        # In MB: whoever counts requests reads this one file, which is turned over at 100 MB otherwise.
        "--audit-log-maxsize=10000",
        "--profiling=false",
        # Without it a polite stop waits a minute for every open watch.
        "--shutdown-watch-termination-grace-period=1s",
    ]


def controllers_command(layout: Layout, kubeconfig: Path) -> list[str]:
    return [
        layout.binaries.path(CONTROLLERS),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(RUNNING_CONTROLLERS)}",
        "--use-service-account-credentials=true",
        f"--root-ca-file={layout.ca_file}",
        "--leader-elect=false",
        # No serving port: its health is what it does.
        "--secure-port=0",
    ]
