"""Changes are made whatever version the caller has seen."""

from svc_demand.usecases import demands

demands.check_version = lambda *_: None
