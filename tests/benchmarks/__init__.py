"""What the operator costs, beside what anything built on kopf costs: measured in one run, never asserted.

`make bench` runs it on a real etcd and kube-apiserver. Every number is read from outside: CPU and memory
from the system, writes from the API server's audit log, runtime calls from the runtime's own log.
"""
