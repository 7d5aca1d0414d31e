"""What schemathesis cannot know: how some bodies are written, and what would take the ground from under all other requests."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream", "application/x-subrip", "text/vtt")
def as_it_is(context, value):
    """Bytes or texts."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Playback is revoked, but not that which is asked for below a lease."""
    if case.operation.label == "POST /v1/leases/revoke" and isinstance(case.body, dict):
        if case.body.get("all") is True or case.body.get("user_id") == "alice":
            case.body = {"user_id": "nobody"}
