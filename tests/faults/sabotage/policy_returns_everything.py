"""Whoever asks may see whatever there is, one by one and in lists."""

from svc_demand.domain import demand_policy
from svc_demand.storage import demands

demand_policy.may_see = lambda *_: True
demands.show_to = lambda *_: None
