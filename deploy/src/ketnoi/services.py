"""The five services: what each is called, where its app is, and which rooms are its own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`role` names its Postgres login and its NATS user alike."""

    name: str
    package: str
    schema: str
    role: str
    entry: str = "shared.http.serve:serve"
    app: str = ""
    migrated: bool = True
    messaging: bool = True

    @property
    def owner(self) -> str:
        """The role that owns the schema's tables; nobody logs in with it."""
        return f"{self.schema}_owner"


def _service(name: str, schema: str, *, messaging: bool = True) -> Service:
    package = name.replace("-", "_")
    return Service(
        name=name,
        package=package,
        schema=schema,
        role=package,
        app=f"{package}.main:create_app",
        messaging=messaging,
    )


GATEWAY = _service("gateway", "gateway", messaging=False)
DEMAND = _service("svc-demand", "demand")
SUPPLY = _service("svc-supply", "supply")
MATCHING = _service("svc-matching", "matching")
REPORTING = _service("svc-reporting", "reporting")

SERVICES = (DEMAND, SUPPLY, MATCHING, REPORTING, GATEWAY)
