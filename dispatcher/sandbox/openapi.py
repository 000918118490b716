"""The OpenAPI 3.1 document, for `GET /api/openapi.json` and the page /help.

It is made from the routes and the types that they take and return, so that it needs no words of
its own: what an operation does is the first line of its endpoint's docstring.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, NotRequired

from pydantic import BaseModel, TypeAdapter
from starlette.routing import BaseRoute, Route
from typing_extensions import TypedDict

Json = dict[str, Any]

MODE: Final = "serialization"  # of the schemas: what a computed field is like is in no other
TEXT: Final = {"type": "string"}


class Error(TypedDict):
    """The response to a request that is invalid: why, and for a rule of /api/faults which."""

    error: str
    index: NotRequired[int | None]
    field: NotRequired[str | None]


class Operation(Route):
    """A route that the document describes.

    `responses` are the types of the responses' JSON by status, None where it is no JSON. `body` is
    the type of the request's JSON, bytes if it is a file; `query` the model of its query; `headers`
    are the names of those that it needs.
    """

    def __init__(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        responses: Mapping[int, Any],
        *,
        body: Any = None,
        query: type[BaseModel] | None = None,
        headers: Collection[str] = (),
    ) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method = method
        self.summary = (inspect.getdoc(endpoint) or "").partition("\n")[0]
        # Any request may come under a foreign name or from a foreign page: local_server.Guard.
        self.responses = {**responses, 403: Error}
        self.body, self.query, self.headers = body, query, headers

    def types(self) -> Iterable[Any]:
        """Return the types that the document has schemas of."""
        return filter(None, [self.body, *self.responses.values()])

    def describe(self, schemas: Mapping[Any, Json]) -> Json:
        """Return what the document says of this operation, with these schemas of its types."""

        def content(type: Any) -> Json:
            if type is None:
                return {}
            if type is bytes:
                return {"content": {"*/*": {}}}
            return {"content": {"application/json": {"schema": schemas[type, MODE]}}}

        query = self.query.model_json_schema()["properties"] if self.query else {}
        parameters = {
            "path": dict.fromkeys(self.param_convertors, TEXT),
            "header": dict.fromkeys(self.headers, TEXT),
            "query": query,
        }
        described: Json = {
            "summary": self.summary,
            "parameters": [
                {"in": place, "name": name, "required": place != "query", "schema": schema}
                for place, named in parameters.items()
                for name, schema in named.items()
            ],
            "responses": {
                str(status): {"description": HTTPStatus(status).phrase} | content(type)
                for status, type in self.responses.items()
            },
        }
        if self.body is not None:
            described["requestBody"] = content(self.body) | {"required": True}
        if self.path.startswith("/v1/"):
            described["security"] = [{"token": []}]
        return described


def operations(routes: Iterable[BaseRoute]) -> list[Operation]:
    """Return the routes that the document describes."""
    return [route for route in routes if isinstance(route, Operation)]


def describe(routes: Iterable[BaseRoute]) -> Json:
    """Return the whole document."""
    described = operations(routes)
    schemas, definitions = TypeAdapter.json_schemas(
        {(each, MODE, TypeAdapter(each)) for route in described for each in route.types()},
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Json] = {}
    for route in described:
        paths.setdefault(route.path, {})[route.method.lower()] = route.describe(schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sandbox: a local Green API v1", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
