"""The JSON of the endpoint's answers, from which /openapi.json is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class Fault(BaseModel):
    """Why a request or a photograph was refused."""

    expected: str = Field(description="What would have been right.")
    received: str = Field(description="What came.")
    cure: str = Field(description="What to do.")


class Refusal(BaseModel):
    """The body of every answer but a success."""

    error: Fault


_File = Annotated[str, Field(description="The file's name as it was sent; empty where the client gave none.")]
_Probabilities = Annotated[dict[str, float] | None, Field(description="Of every class, in the model's order.")]
_HeatMap = Annotated[
    str | None, Field(description="Where it was asked for: the photograph under its heat map, as a data URL (JPEG).")
]


class Result(BaseModel):
    """What one photograph shows; of one that could not be read, `error` says why and the rest is null."""

    file: _File
    predicted: str | None = Field(default=None, description="The likeliest class, or `unknown`.")
    unknown: bool | None = Field(
        default=None, description="Whether it looks like none of the classes, by the model's rejection rule."
    )
    probability: float | None = Field(default=None, description="Of the likeliest class.", ge=0, le=1.000001)
    probabilities: _Probabilities = None
    heatmap: _HeatMap = None
    error: Fault | None = None


class LabelsResult(BaseModel):
    """What one photograph shows, of any number of labels; of one that could not be read, `error` says why."""

    file: _File
    predicted: dict[str, float] | None = Field(
        default=None, description="Each label whose probability reaches its threshold, with it; empty where none does."
    )
    probabilities: _Probabilities = None
    heatmap: _HeatMap = None
    error: Fault | None = None


AnyResult = Result | LabelsResult
_Model = Annotated[str, Field(description="The model's name, as it was given to `serve`.")]


class Answer(BaseModel):
    """The photographs' results, in the order in which they were sent."""

    model: _Model
    results: list[Result]


class LabelsAnswer(BaseModel):
    """The photographs' results, in the order in which they were sent, of a model with several labels a photograph."""

    model: _Model
    results: list[LabelsResult]


class Health(BaseModel):
    """Whether requests are answered, and by what."""

    status: Literal["ready", "warming up", "stopping"]
    model: str
    classes: list[str]
    thresholds: dict[str, float] | None = Field(
        default=None,
        description="Of a model with several labels a photograph: the probability from which on each holds.",
    )


_FILE = {"type": "string", "format": "binary"}
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "description": "Photographs as a form (any field names), or the bytes of one.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"files": {"type": "array", "items": _FILE, "minItems": 1}},
                "required": ["files"],
            }
        },
        "image/*": {"schema": _FILE},
        "application/octet-stream": {"schema": _FILE},
    },
}
_REASONS = {
    400: "The request, or its only photograph, is damaged.",
    403: "A page of another site sent it.",
    408: "The request did not come in time.",
    413: "The request, or its only photograph, is too large.",
    415: "The request, or its only photograph, is of a type that is not read.",
    429: "The client has too much under way; try again when it has answers.",
    500: "A fault of the server.",
    503: "The server is warming up, stopping, or has too much to do; try again.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers with these statuses, for FastAPI's `responses`.

    Args:
        *statuses: of HTTP.
    """
    others: dict[int | str, dict[str, Any]] = {"4XX": {"model": Refusal, "description": "The request is refused."}}
    return others | {status: {"model": Refusal, "description": _REASONS[status]} for status in statuses}
