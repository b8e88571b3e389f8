"""Who may ask: the server knows its callers."""

import ssl

from tests.contract.conftest import Target


def test_a_stranger_is_refused(target: Target) -> None:
    """Without a certificate or a token there is not much to see."""
    tls = None
    if target.tls is not None:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    answer = Target(target.url, target.kubeconfig, {}, tls).get("/api/v1/namespaces/default/secrets")
    assert (answer.status, answer.reason) == (403, "Forbidden")
