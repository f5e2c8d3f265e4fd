"""The kinds of files that this service takes."""

from shared.contracts.identity import Scope
from shared.contracts.imports import ImportKind
from shared.contracts.supplies import SupplyUpsert
from shared.imports.rows import Importer
from svc_supply.usecases.supply_upserts import import_supplies

IMPORTERS = [Importer(ImportKind.SUPPLIES, Scope.SUPPLIES_WRITE, SupplyUpsert, import_supplies)]
