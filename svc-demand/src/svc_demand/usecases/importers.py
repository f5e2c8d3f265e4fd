"""The kinds of files that this service takes."""

from shared.contracts.demands import DemandUpsert
from shared.contracts.identity import Scope
from shared.contracts.imports import ImportKind
from shared.imports.rows import Importer
from svc_demand.usecases.demand_upserts import import_demands

IMPORTERS = [Importer(ImportKind.DEMANDS, Scope.DEMANDS_WRITE, DemandUpsert, import_demands)]
