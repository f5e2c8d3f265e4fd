"""What a list of matches would be, before there is a demand."""

from fastapi import APIRouter

from svc_matching.api.connections import MatchReader, Moments
from svc_matching.domain.preview import MatchPreview, MatchPreviewIn
from svc_matching.usecases.preview import preview_matches

router = APIRouter(prefix="/v1", tags=["matches"])


@router.post("/match-preview", summary="Xem trước kết quả khớp nối · Preview matches")
async def post_match_preview(
    asked: MatchPreviewIn, caller: MatchReader, transactions: Moments
) -> MatchPreview:
    """Xếp hạng nguồn cung cho một đoạn văn hoặc một nhu cầu chưa lưu; không lưu gì cả.

    The list and the diagnosis that a demand of the caller would get if it were published now:
    same supplies, scores and explanations, PRIVATE supplies in neither. Nothing is stored and no
    event is sent. A text of at most 8,000 characters is read as a description; one without any
    word to go by gives an empty list and NO_SUPPLY. Few previews are made at a time: 503 with
    `Retry-After` says `preview_busy`, `preview_timeout` or `index_loading`.
    """
    return await preview_matches(transactions, caller, asked)
