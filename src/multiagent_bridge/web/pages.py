"""What every page of the dashboard stands on: who visits, templates, forms, and errors that are pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from multiagent_bridge.errors import BridgeError, Invalid, NotFound, TooFast
from multiagent_bridge.guard import access
from multiagent_bridge.model.callers import Caller
from multiagent_bridge.model.identities import Identity
from multiagent_bridge.services.hub import Hub
from multiagent_bridge.web import wording
from multiagent_bridge.web.sharing import Sharing
from multiagent_bridge.web.static_files import StaticFiles
from multiagent_bridge.web.strangers import told

SIGN_IN = "/sign-in"
FIELDS = 200
"""Most fields of one form, or of one address."""

NAVIGATION: Sequence[tuple[str, str, str]] = (
    ("Live", "/", "l"),
    ("Conversations", "/conversations", "c"),
    ("Tasks", "/tasks", "t"),
    ("Approvals", "/approvals", "a"),
    ("Journal", "/journal", "j"),
    ("Health", "/health", "h"),
)
"""Name, path, and the letter that follows `g` on the keyboard."""

TOPICS = ("messages", "conversations", "status", "tasks", "approvals", "silences", "access", "health", "journal")
"""What a page may listen to: `hx-trigger="mab-<topic> from:body"`. `journal` is every entry."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in. `seq` is where the journal stood before anything else was read; 0 for a part."""

    request: Request
    identity: Identity
    caller: Caller
    pages: Pages
    seq: int

    @property
    def hub(self) -> Hub:
        return self.pages.hub

    @property
    def now(self) -> int:
        """Microseconds since 1970, by the hub's clock."""
        return self.pages.now()

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path that the route names."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address, the last of each name."""
        return self.request.query_params

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def may(self, action: str) -> bool:
        """Whether a role of the visitor allows the action; for what a page leaves out. Services judge for themselves."""
        try:
            access.permit(self.caller, action)
        except BridgeError:
            return False
        return True

    async def form(self) -> Mapping[str, str]:
        """The fields of a form, the last of each name. Raises Invalid."""
        return dict(await self.fields())

    async def fields(self) -> Sequence[tuple[str, str]]:
        """The fields of a form in order, a name that is there twice included. Raises Invalid."""
        return form_fields(self.request.headers.get("content-type", ""), await self.request.body())

    def page(self, template: str, /, **names: object) -> Response:
        """A whole page: a template that extends `base.html`. Its `status_code` may be set afterwards."""
        return self.pages.rendered(template, 200, {"visit": self, "me": self.identity, **names})

    def fragment(self, template: str, /, **names: object) -> Response:
        """A part of a page, for htmx: a template that extends nothing."""
        return self.page(template, **names)

    async def shared(self, template: str, load: Callable[[], Awaitable[Mapping[str, object]]]) -> Response:
        """A part that is the same for everybody of these roles and this address: made once for all who ask together.

        `load` gives the names of the template, which must say nothing of who looks. What it may see is judged for the first
        who asks, and the same roles and conversations see the same.
        """

        async def made() -> str:
            return self.pages.text(template, {"visit": None, "me": None, **await load()})

        identity, request = self.identity, self.request
        key = (template, request.url.path, request.url.query, identity.roles, identity.conversations)
        return HTMLResponse(await self.pages.sharing.part(key, made))

    def to(self, path: str, **query: object) -> Response:
        """See the page at `path` now (303): what a form that did something answers."""
        return Response(status_code=303, headers={"location": address(path, **query)})


Page = Callable[[Visit], Awaitable[Response]]


@dataclass(slots=True)
class Pages:
    """Makes routes of functions that take a `Visit`. `now` is the hub's clock in microseconds."""

    hub: Hub
    now: Callable[[], int]
    static: StaticFiles
    sharing: Sharing
    navigation: list[tuple[str, str, str]] = field(default_factory=list)
    _environment: Environment = field(init=False)

    def __post_init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            said=wording.said,
            shortened=wording.shortened,
            iso=wording.iso,
            clock=wording.clock,
            day=wording.day,
        )
        self._environment.globals.update(
            static=self.static.address, navigation=self.navigation, ago=wording.ago, address=address
        )

    def get(self, path: str, page: Page) -> Route:
        """A page, or a part of one, for who is signed in; everybody else gets the page that says how to sign in."""
        return Route(path, self._guarded(page), methods=["GET"])

    def post(self, path: str, act: Page) -> Route:
        """An act of who is signed in. The door has seen that a page of ours sent it (Origin, Sec-Fetch-Site)."""
        return Route(path, self._guarded(act), methods=["POST"])

    def rendered(self, template: str, status: int, names: Mapping[str, object], **headers: str) -> Response:
        """A template with what all have: `now`, `static`, `navigation`. Raises when a name is missing."""
        return HTMLResponse(self.text(template, {"me": None, "visit": None, **names}), status, headers=headers or None)

    def text(self, template: str, names: Mapping[str, object]) -> str:
        """A template with these names and the hub's time."""
        return self._environment.get_template(template).render({"now": self.now(), **names})

    def refused(self, request: Request, error: BridgeError) -> Response:
        """An error as a page, or as a part of one."""
        later = {"retry-after": str(max(1, int(error.retry_after)))} if isinstance(error, TooFast) else {}
        part = request.headers.get("hx-request") == "true"
        return self.rendered(
            "error_part.html" if part else "error.html",
            error.http_status,
            {"error": error, "me": request.scope["state"].get("identity")},
            **later,
        )

    async def missing(self, request: Request) -> Response:
        """A path of ours without a page."""
        if request.scope["state"].get("identity") is None:
            return self.stranger(request)
        return self.refused(request, NotFound("there is no such page", "choose one above"))

    def stranger(self, request: Request, status: int = 401) -> Response:
        """The page that says how to sign in, and nothing else; for a part of a page, where to go."""
        if request.headers.get("hx-request") == "true":
            return Response(status_code=status, headers={"hx-redirect": SIGN_IN})
        return self.rendered("sign_in.html", status, told(self.hub, request))

    def _guarded(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def served(request: Request) -> Response:
            state = request.scope["state"]
            identity: Identity | None = state["identity"]
            if identity is None:
                return self.stranger(request)
            try:
                if len(request.query_params.multi_items()) > FIELDS:
                    raise Invalid("the address has too many parameters", f"at most {FIELDS}")
                # before anything else is read, so that whatever comes later reaches the page by its stream
                part = request.headers.get("hx-request") == "true"
                seq = 0 if part else (await self.hub.journal.head()).size
                return await page(Visit(request, identity, identity.caller(state["peer"]), self, seq))
            except BridgeError as error:
                return self.refused(request, error)

        return served


def address(path: str, **query: object) -> str:
    """`path` with those parameters that say something. Raises ValueError for a path of another host."""
    if not path.startswith("/") or path.startswith(("//", "/\\")):
        raise ValueError("only a path of this hub")
    said = [(name, str(value)) for name, value in query.items() if value not in (None, "", False)]
    return f"{path}?{urlencode(said)}" if said else path


def form_fields(kind: str, body: bytes) -> Sequence[tuple[str, str]]:
    """The fields of an urlencoded form. Raises Invalid."""
    if kind.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Invalid("that is no form", "send application/x-www-form-urlencoded")
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
    except ValueError as error:
        raise Invalid("the form cannot be read", f"UTF-8, at most {FIELDS} fields") from error
