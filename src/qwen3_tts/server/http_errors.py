"""Errors over HTTP, all in the shape that OpenAI's clients read:

{"error": {"message", "type", "param", "code"}}
"""

import logging
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from qwen3_tts.server.faults import HIDDEN, Fault, FaultCode
from qwen3_tts.server.logs import REQUEST_ID_HEADER

logger = logging.getLogger(__name__)

BEARER = {"WWW-Authenticate": "Bearer"}


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
        message = f"there is nothing at {request.url.path[:200]}"
    answer = error_response(Fault(code, message), error.status_code)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    answer = error_response(Fault(FaultCode.SYNTHESIS_ERROR, HIDDEN))
    if request_id := getattr(request.state, "request_id", None):  # outside the middleware
        answer.headers[REQUEST_ID_HEADER] = request_id
    return answer
