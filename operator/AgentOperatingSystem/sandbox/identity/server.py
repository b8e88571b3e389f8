"""The one route of the token service: a client's proof in, a token or a refusal in Entra's words out.

There is no discovery (`/.well-known`): the credentials that are given an authority ask it nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from aiohttp import web

from AgentOperatingSystem.sandbox.identity.directory import Directory, Refused, TokenRequest

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenService:
    """Answers for a directory; with `failing` every request gets that status instead."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.failing: int | None = None

    def application(self) -> web.Application:
        """The application to serve."""
        app = web.Application()
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self.give)
        return app

    async def give(self, request: web.Request) -> web.Response:
        """POST /{tenant}/oauth2/v2.0/token"""
        form = {name: str(value) for name, value in (await request.post()).items()}
        tenant, kind = request.match_info["tenant"], _kind_of_proof(form)
        try:
            body = self._token(tenant, form, kind)
            status, code = 200, None
        except Refused as refused:
            status, code, body = refused.status, refused.code, _refusal(refused)
        self._directory.record(
            TokenRequest(
                at=self._directory.clock(),
                tenant=tenant,
                client_id=form.get("client_id", ""),
                scope=form.get("scope", ""),
                proof=kind,
                status=status,
                code=code,
            )
        )
        return web.json_response(body, status=status)

    def _token(self, tenant: str, form: Mapping[str, str], kind: str) -> dict[str, object]:
        if self.failing is not None:
            raise Refused(self.failing, "temporarily_unavailable", 90033, "A transient error has occurred.")
        if form.get("grant_type") != "client_credentials" or not kind:
            raise Refused(
                400, "invalid_request", 900144, "The request body must contain what proves a client."
            )
        directory = self._directory
        token = directory.grant(tenant, form.get("client_id", ""), form.get("scope", ""), kind, form[kind])
        seconds = max(1, int(directory.token_seconds))
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        }


def _kind_of_proof(form: Mapping[str, str]) -> str:
    if form.get("client_secret"):
        return "client_secret"
    is_assertion = form.get("client_assertion") and form.get("client_assertion_type") == ASSERTION_TYPE
    return "client_assertion" if is_assertion else ""


def _refusal(refused: Refused) -> dict[str, object]:
    trace, correlation = uuid.uuid4(), uuid.uuid4()
    return {
        "error": refused.error,
        "error_description": (
            f"AADSTS{refused.code}: {refused.sentence} Trace ID: {trace} Correlation ID: {correlation} "
            "Timestamp: 2026-01-01 00:00:00Z"
        ),
        "error_codes": [refused.code],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": str(trace),
        "correlation_id": str(correlation),
    }
