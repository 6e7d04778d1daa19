"""Errors over HTTP, all in the shape that OpenAI's clients read:

{"error": {"message", "type", "param", "code"}}
"""

import logging
from math import ceil
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from qwen3_tts.server.faults import HIDDEN, Fault, FaultCode
from qwen3_tts.server.observe.logs import REQUEST_ID_HEADER

logger = logging.getLogger(__name__)

BEARER = {"WWW-Authenticate": "Bearer"}
RETRY_AFTER = {
    "Retry-After": {
        "description": "seconds after which to try again",
        "schema": {"type": "integer", "minimum": 1},
    }
}


class ErrorObject(BaseModel):
    """What went wrong; `message` says what is allowed."""

    message: str
    type: Literal[
        "invalid_request_error", "authentication_error", "rate_limit_error", "server_error"
    ]
    param: str | None = Field(description="the field that was wrong")
    code: str = Field(examples=["INVALID_TEXT"])


class ErrorBody(BaseModel):
    error: ErrorObject


def told(description: str, **more: Any) -> dict[str, Any]:
    """An error in the server's description of itself."""
    return {"model": ErrorBody, "description": description, **more}


# what any route may answer
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: told("The request is wrong; `param` names the field."),
    401: told("A key is needed, or the one given is not valid."),
    403: told("Not allowed to this caller, or under this name of the server."),
    404: told("There is no such voice, model or path."),
    408: told("The request came too slowly, or the server was too busy.", headers=RETRY_AFTER),
    413: told("The body is too large."),
    429: told("Too much at once.", headers=RETRY_AFTER),
    500: told("A failure inside the server; its log has it under the X-Request-ID."),
    503: told("The model is loading, or out of memory.", headers=RETRY_AFTER),
}


def error_type(status: int) -> str:
    if status in (401, 403):
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 or status == 408 else "invalid_request_error"


def error_object(fault: Fault, status: int | None = None) -> dict[str, Any]:
    """What stands under "error", in answers and in events."""
    return {
        "message": fault.message,
        "type": error_type(status or fault.status),
        "param": fault.param,
        "code": str(fault.code),
    }


def error_response(fault: Fault, status: int | None = None) -> JSONResponse:
    """`status` overrides that of the fault's code, where a framework chose it."""
    headers: dict[str, str] = {}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, ceil(fault.retry_after_s)))
        headers["retry-after-ms"] = str(round(1000 * fault.retry_after_s))
    if (status or fault.status) == 401:
        headers |= BEARER
    return JSONResponse({"error": error_object(fault, status)}, status or fault.status, headers)


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Fault, _fault)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _unforeseen)


async def _fault(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Fault)
    return error_response(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """The first field that is wrong; what was given is not repeated, as it may be a whole book."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    name = ".".join(where)
    if first["type"] == "json_invalid":
        message, name = "the body is not JSON", ""
    else:
        message = f"`{name}`: {first['msg']}" if name else first["msg"]
    code = FaultCode.INVALID_TEXT if name == "input" else FaultCode.INVALID_MESSAGE
    return error_response(Fault(code, message, name or None))


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses: unknown paths, wrong methods, bodies that break off."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Fault):  # raised while the body was read
        return error_response(error.__cause__)
    code = FaultCode.NOT_FOUND if error.status_code == 404 else FaultCode.INVALID_MESSAGE
    message = str(error.detail)
    if error.status_code == 404:
        message = "there is nothing at this path"
    answer = error_response(Fault(code, message), error.status_code)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """What this path can be asked for: the framework tells those of its first route alone."""
    routes = [route.original_route for route in iter_route_contexts(request.app.routes)]
    here = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in here for method in getattr(route, "methods", None) or ()}


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    answer = error_response(Fault(FaultCode.SYNTHESIS_ERROR, HIDDEN))
    if request_id := getattr(request.state, "request_id", None):  # outside the middleware
        answer.headers[REQUEST_ID_HEADER] = request_id
    return answer
