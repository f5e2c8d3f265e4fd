"""The routes of `/v1/demands`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Request, Response, status

from shared.contracts.demands import (
    Demand,
    DemandFilter,
    DemandPage,
    DemandPatch,
    DemandProfile,
    DemandUpsert,
)
from shared.contracts.lifecycles import TransitionHistory, TransitionIn
from shared.http.auth import AnyCaller, KnownCaller
from shared.http.documents import document_of, page_of
from shared.http.lists import PageQuery, Paging
from shared.http.requests import IdempotencyKey, tag
from shared.imports.rows import Outcome
from svc_demand.api import examples
from svc_demand.api.dependencies import OptionalVersion, Ref, Store, System, Version, Writer
from svc_demand.domain.demands import with_natural_key
from svc_demand.usecases import demand_upserts, demands

router = APIRouter(prefix="/v1/demands", tags=["demands"])


class DemandQuery(DemandFilter, PageQuery):
    """Filters and paging of the list."""


@router.post("", status_code=status.HTTP_201_CREATED, summary="Lập nhu cầu · Create a demand")
async def post_demand(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    profile: Annotated[DemandProfile, Body(openapi_examples=examples.DEMAND)],
) -> Demand:
    """Begin a DRAFT, which needs only a `title`; it belongs to the caller's tenant.

    A `dost` creates demands of its own province. Drafts are seen by the owner, the DOST of the
    province and operators only.
    """
    demand = await demands.create_demand(store, caller, profile, key)
    response.headers["Location"] = f"/v1/demands/{demand.id}"
    tag(response, demand)
    return demand


@router.get("", summary="Danh sách nhu cầu · List demands", response_model=DemandPage)
async def get_demands(
    request: Request, caller: AnyCaller, store: Store, query: Annotated[DemandQuery, Query()]
) -> Response:
    """Return the demands that the caller may see, newest first.

    Filters have the fields' names; a repeated parameter means any of its values. A cursor belongs
    to the list, the filters and the tenant it was given for.
    """
    paging = Paging(request, caller, query)
    after = UUID(paging.after[0]) if paging.after else None
    items, last = await demands.list_demands(store, caller, query, limit=query.limit, after=after)
    return page_of(items, paging.next_cursor([str(last)] if last else None))


@router.get(
    "/by-ref/{system}/{ref:path}",
    summary="Đọc theo mã của bên gửi · Read by reference",
    response_model=Demand,
)
async def get_demand_by_ref(
    caller: KnownCaller, store: Store, system: System, ref: Ref
) -> Response:
    """Return the demand that the caller's tenant keeps under its own system's key."""
    demand = await demands.get_demand_by_ref(store, caller, system, ref)
    return document_of(demand)


@router.put(
    "/by-ref/{system}/{ref:path}",
    summary="Ghi theo mã của bên gửi · Upsert by reference",
    responses={status.HTTP_201_CREATED: {"model": Demand, "description": "Created"}},
)
async def put_demand_by_ref(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    version: OptionalVersion,
    system: System,
    ref: Ref,
    row: Annotated[DemandUpsert, Body(openapi_examples=examples.DEMAND)],
) -> Demand:
    """Bring the demand to what the body says: the whole profile is replaced.

    * New → 201, as a DRAFT; changed → 200 and a new version; nothing new → 200, the same version,
      no event. The key is unique within the tenant. `If-Match` is optional.
    * `status` is for operators: the demand walks there in one version and one event, every guard
      but the role applies. From anybody else it is a 403.
    * REJECTED, WITHDRAWN and ARCHIVED demands are closed: 409.
    * A demand whose `needed_by` has passed is accepted, and EXPIRED where it would be PUBLISHED.
    """
    keyed = with_natural_key(row, system, ref)
    done = await demand_upserts.upsert_demand(store, caller, keyed, version=version, key=key)
    if done.outcome is Outcome.CREATED:
        response.status_code = status.HTTP_201_CREATED
        response.headers["Location"] = f"/v1/demands/{done.demand.id}"
    tag(response, done.demand)
    return done.demand


@router.get(
    "/{demand_id}",
    summary="Đọc nhu cầu · Read a demand",
    responses={status.HTTP_304_NOT_MODIFIED: {"description": "The caller has this version."}},
    response_model=Demand,
)
async def get_demand(
    caller: AnyCaller,
    store: Store,
    demand_id: UUID,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return a demand; one that the caller may not see is answered like one that is not there."""
    demand = await demands.get_demand(store, caller, demand_id)
    return document_of(demand, if_none_match)


@router.patch("/{demand_id}", summary="Sửa nhu cầu · Change a demand")
async def patch_demand(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    version: Version,
    demand_id: UUID,
    patch: Annotated[DemandPatch, Body(openapi_examples=examples.PATCH)],
) -> Demand:
    """Replace the given fields; null clears one. `If-Match` is required.

    Owner, DOST of the province and operators may change a demand until it is REJECTED, FULFILLED,
    WITHDRAWN or ARCHIVED. What has been submitted must stay complete.
    """
    demand = await demands.patch_demand(store, caller, demand_id, version, patch, key)
    tag(response, demand)
    return demand


@router.post("/{demand_id}/transitions", summary="Chuyển trạng thái · Move a demand")
async def post_demand_transition(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    version: Version,
    demand_id: UUID,
    wish: Annotated[TransitionIn, Body(openapi_examples=examples.TRANSITION)],
) -> Demand:
    """Move the demand to another status and return it. `If-Match` is required.

    A move that is not allowed now, or not to this caller, is a 409 that names the allowed ones.
    `VERIFIED` needs the check-list answered: `evidence_seen`, `losses_stated`,
    `investment_decided`, `absorption_assessed`.
    """
    demand = await demands.move_demand(store, caller, demand_id, version, wish, key)
    tag(response, demand)
    return demand


@router.get("/{demand_id}/transitions", summary="Lịch sử trạng thái · Read the history")
async def get_demand_transitions(
    caller: KnownCaller, store: Store, demand_id: UUID
) -> TransitionHistory:
    """Return the moves so far and what this caller may do now.

    For the owner, the DOST of the province and operators; 404 for anybody else.
    """
    return await demands.get_history(store, caller, demand_id)
