"""The routes of `/v1/supplies`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Request, Response, status

from shared.contracts.lifecycles import TransitionHistory, TransitionIn
from shared.contracts.supplies import (
    Supply,
    SupplyFilter,
    SupplyPage,
    SupplyPatch,
    SupplyProfile,
    SupplyUpsert,
)
from shared.http.auth import AnyCaller, KnownCaller
from shared.http.documents import document_of, page_of
from shared.http.lists import PageQuery, Paging
from shared.http.requests import IdempotencyKey, tag
from shared.imports.rows import Outcome
from svc_supply.api import examples
from svc_supply.api.dependencies import OptionalVersion, Ref, Store, System, Version, Writer
from svc_supply.domain.supplies import with_natural_key
from svc_supply.usecases import supplies, supply_upserts

router = APIRouter(prefix="/v1/supplies", tags=["supplies"])


class SupplyQuery(SupplyFilter, PageQuery):
    """Filters and paging of the list."""


@router.post("", status_code=status.HTTP_201_CREATED, summary="Lập nguồn cung · Create a supply")
async def post_supply(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    profile: Annotated[SupplyProfile, Body(openapi_examples=examples.SUPPLY)],
) -> Supply:
    """Begin a DRAFT, which needs only a `title`; it belongs to the caller's tenant.

    Drafts are seen by the owner and operators only.
    """
    supply = await supplies.create_supply(store, caller, profile, key)
    response.headers["Location"] = f"/v1/supplies/{supply.id}"
    tag(response, supply)
    return supply


@router.get("", summary="Danh sách nguồn cung · List supplies", response_model=SupplyPage)
async def get_supplies(
    request: Request, caller: AnyCaller, store: Store, query: Annotated[SupplyQuery, Query()]
) -> Response:
    """Return the supplies that the caller may see, newest first.

    Filters have the fields' names; a repeated parameter means any of its values. A cursor belongs
    to the list, the filters and the tenant it was given for.
    """
    paging = Paging(request, caller, query)
    after = UUID(paging.after[0]) if paging.after else None
    items, last = await supplies.list_supplies(store, caller, query, limit=query.limit, after=after)
    return page_of(items, paging.next_cursor([str(last)] if last else None))


@router.get(
    "/by-ref/{system}/{ref:path}",
    summary="Đọc theo mã của bên gửi · Read by reference",
    response_model=Supply,
)
async def get_supply_by_ref(
    caller: KnownCaller, store: Store, system: System, ref: Ref
) -> Response:
    """Return the supply that the caller's tenant keeps under its own system's key."""
    supply = await supplies.get_supply_by_ref(store, caller, system, ref)
    return document_of(supply)


@router.put(
    "/by-ref/{system}/{ref:path}",
    summary="Ghi theo mã của bên gửi · Upsert by reference",
    responses={status.HTTP_201_CREATED: {"model": Supply, "description": "Created"}},
)
async def put_supply_by_ref(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    version: OptionalVersion,
    system: System,
    ref: Ref,
    row: Annotated[SupplyUpsert, Body(openapi_examples=examples.SUPPLY)],
) -> Supply:
    """Bring the supply to what the body says: the whole profile is replaced.

    * New → 201, as a DRAFT; changed → 200 and a new version; nothing new → 200, the same version,
      no event. The key is unique within the tenant. `If-Match` is optional.
    * `status` is for operators: the supply walks there in one version and one event, every guard
      but the role applies. From anybody else it is a 403.
    * REJECTED, WITHDRAWN and ARCHIVED supplies are closed: 409.
    * A supply whose `available_until` has passed is accepted, and EXPIRED where it would be
      PUBLISHED; a PROHIBITED one that would be PUBLISHED is a 422.
    """
    keyed = with_natural_key(row, system, ref)
    done = await supply_upserts.upsert_supply(store, caller, keyed, version=version, key=key)
    if done.outcome is Outcome.CREATED:
        response.status_code = status.HTTP_201_CREATED
        response.headers["Location"] = f"/v1/supplies/{done.supply.id}"
    tag(response, done.supply)
    return done.supply


@router.get(
    "/{supply_id}",
    summary="Đọc nguồn cung · Read a supply",
    responses={status.HTTP_304_NOT_MODIFIED: {"description": "The caller has this version."}},
    response_model=Supply,
)
async def get_supply(
    caller: AnyCaller,
    store: Store,
    supply_id: UUID,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return a supply; one that the caller may not see is answered like one that is not there."""
    supply = await supplies.get_supply(store, caller, supply_id)
    return document_of(supply, if_none_match)


@router.patch("/{supply_id}", summary="Sửa nguồn cung · Change a supply")
async def patch_supply(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    version: Version,
    supply_id: UUID,
    patch: Annotated[SupplyPatch, Body(openapi_examples=examples.PATCH)],
) -> Supply:
    """Replace the given fields; null clears one. `If-Match` is required.

    Owner and operators may change a supply until it is REJECTED, TRANSFERRED_EXCLUSIVELY,
    WITHDRAWN or ARCHIVED. What has been submitted must stay complete.
    """
    supply = await supplies.patch_supply(store, caller, supply_id, version, patch, key)
    tag(response, supply)
    return supply


@router.post("/{supply_id}/transitions", summary="Chuyển trạng thái · Move a supply")
async def post_supply_transition(
    response: Response,
    caller: Writer,
    store: Store,
    key: IdempotencyKey,
    version: Version,
    supply_id: UUID,
    wish: Annotated[TransitionIn, Body(openapi_examples=examples.TRANSITION)],
) -> Supply:
    """Move the supply to another status and return it. `If-Match` is required.

    A move that is not allowed now, or not to this caller, is a 409 that names the allowed ones.
    A technology on the PROHIBITED list is never published.
    """
    supply = await supplies.move_supply(store, caller, supply_id, version, wish, key)
    tag(response, supply)
    return supply


@router.get("/{supply_id}/transitions", summary="Lịch sử trạng thái · Read the history")
async def get_supply_transitions(
    caller: KnownCaller, store: Store, supply_id: UUID
) -> TransitionHistory:
    """Return the moves so far and what this caller may do now.

    For the owner and operators; 404 for anybody else.
    """
    return await supplies.get_history(store, caller, supply_id)
