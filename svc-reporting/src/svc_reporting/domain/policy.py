"""Who may see which numbers.

Everybody may see counts of what everybody may see: published things of visibility PUBLIC, by any
cut, since each of them can be listed anyway; never a title or an owner. Numbers about demands that
are not (yet) published, and about things of narrower visibility, are for those who may see
the things themselves or answer for the whole: a partner counts PARTNERS things too, a DOST
all of its own province, operator, reporting officers and operations staff everything.
"""

from dataclasses import dataclass

from shared.contracts.base import Visibility
from shared.contracts.identity import Caller, Role, Scope
from shared.contracts.places import codes_of

_EVERYWHERE = frozenset({Role.OPERATOR, Role.REPORTER, Role.OPS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a caller's numbers are made of.

    Published things count by `visibilities`; in `provinces` everything does, unpublished
    demands included; `everywhere` is that for the whole country.
    """

    visibilities: frozenset[Visibility]
    provinces: frozenset[str] = frozenset()
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSight:
    """Where a caller sees unpublished demands; `provinces` None is the whole country.

    `whole`: everywhere that was asked for, so that its counts go with the published ones.
    """

    provinces: frozenset[str] | None
    whole: bool


def sight_of(caller: Caller) -> Sight:
    """Return what this caller may count; without the scope it is what anyone may."""
    if Scope.REPORTING_READ not in caller.scopes or not caller.sees_partners:
        return Sight(visibilities=frozenset({Visibility.PUBLIC}))
    if caller.role in _EVERYWHERE:
        return Sight(visibilities=frozenset(Visibility), everywhere=True)
    own: frozenset[str] = frozenset()
    if caller.role is Role.DOST and caller.province is not None:
        own = frozenset(codes_of(caller.province))
    return Sight(visibilities=frozenset({Visibility.PUBLIC, Visibility.PARTNERS}), provinces=own)


def pipeline_of(sight: Sight, asked: frozenset[str] | None) -> PipelineSight | None:
    """Return where unpublished demands may be counted of the provinces asked for."""
    if sight.everywhere:
        return PipelineSight(provinces=asked, whole=True)
    common = sight.provinces if asked is None else sight.provinces & asked
    if not common:
        return None
    return PipelineSight(provinces=common, whole=common == asked)
