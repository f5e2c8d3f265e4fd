"""What each service finds in its environment: its own settings, and nobody else's."""

from collections.abc import Mapping
from dataclasses import dataclass

from ketnoi.addresses import nats_user_url, service_url
from ketnoi.credentials import Credentials, Keys
from ketnoi.environment import Environment
from ketnoi.home import Home
from ketnoi.services import GATEWAY, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironments:
    """`database_url` and `nats_url` are the administrator's; services get their own logins."""

    environment: Environment
    credentials: Credentials
    keys: Keys
    ports: Mapping[str, int]
    database_url: str
    nats_url: str
    nats_monitor_url: str = ""

    def of(self, service: Service) -> dict[str, str]:
        """Return all variables of one service."""
        return dict(self.environment.inherited) | self._common(service) | self._own(service)

    def _common(self, service: Service) -> dict[str, str]:
        public = service.name == GATEWAY.name
        return {
            "KETNOI_LISTEN_HOST": self.environment.host if public else "127.0.0.1",
            "KETNOI_LISTEN_PORT": str(self.ports[service.name]),
            "KETNOI_DATABASE_URL": service_url(
                self.database_url, service, self.credentials.postgres
            ),
            "KETNOI_JWKS_PATH": str(self.keys.public),
            "KETNOI_CURSOR_KEY": self.credentials.cursor_key,
            "KETNOI_LOG_LEVEL": self.environment.log_level.upper(),
        }

    def _own(self, service: Service) -> dict[str, str]:
        own = dict(self.environment.passed_on.get(service.name, {}))
        if service.messaging:
            own["KETNOI_NATS_URL"] = nats_user_url(self.nats_url, service, self.credentials.nats)
        if service.name == GATEWAY.name:
            own["KETNOI_SIGNING_KEY_PATH"] = str(self.keys.signing)
            own["KETNOI_DATA_PATH"] = str(Home(self.environment.home).data)
            own["KETNOI_NATS_MONITOR_URL"] = self.nats_monitor_url
            for name, port in self.ports.items():
                if name != GATEWAY.name:
                    key = name.removeprefix("svc-").upper()
                    own[f"KETNOI_{key}_URL"] = f"http://127.0.0.1:{port}"
        return own
