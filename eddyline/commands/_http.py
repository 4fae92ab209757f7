"""How commands ask the ranker over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import httpx

http_option = typer.Option(
    help="http://host:port of a ranker; default: that of the stack in EDDYLINE_HOME.", envvar="EDDYLINE_HTTP"
)


def ask(http: str | None, method: str, path: str, body: object = None) -> httpx.Response:
    """The ranker's answer; prints the error and exits with 1 where it is one."""
    import httpx

    try:
        answer = httpx.request(
            method, f"{http or _of_the_stack()}{path}", json=body, timeout=30, trust_env=False
        )
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise _failed(f"the ranker does not answer: {error}") from None
    if answer.is_success:
        return answer
    raise _failed(_message(answer))


def _of_the_stack() -> str:
    from eddyline.clients.running import NoStack, running_stack
    from eddyline.stack.state import StateFolderError
    from feature_store.settings import Settings

    try:
        return running_stack(Settings().home).addresses.http
    except (NoStack, StateFolderError) as error:
        raise _failed(str(error)) from None


def _message(answer: httpx.Response) -> str:
    try:
        error: dict[str, Any] = answer.json()["error"]
    except (ValueError, KeyError):
        return f"HTTP {answer.status_code}: {answer.text[:500]}"
    field = f" ({error['field']})" if error.get("field") else ""
    return f"{error['code']}: {error['message']}{field}"


def _failed(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
