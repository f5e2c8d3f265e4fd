"""Examples in the API's documentation."""

from fastapi.openapi.models import Example

DEMAND: dict[str, Example] = {
    "tea-dryer": {
        "summary": "Máy sấy chè tiết kiệm năng lượng",
        "value": {
            "title": "Công nghệ sấy chè xanh tiết kiệm năng lượng, 500 kg/giờ",
            "summary": "Thay lò than bằng công nghệ sấy giữ được hương và màu nước.",
            "description": (
                "Hợp tác xã chè cần dây chuyền sấy công suất 500 kg búp tươi mỗi giờ, độ ẩm sau sấy"
                " dưới 5 %, giảm ít nhất 30 % năng lượng so với lò than hiện có."
            ),
            "language": "vi",
            "kind": "IMPROVEMENT",
            "current_technology": "Lò sấy than thủ công, năm 2012",
            "requirements": [
                {"name": "công suất", "min": 500, "unit": "kg/h", "must": True},
                {"name": "độ ẩm sau sấy", "max": 5, "unit": "%"},
            ],
            "keywords": ["sấy chè", "bơm nhiệt"],
            "fields": ["2.11"],
            "industries": ["1079"],
            "trl_min": 7,
            "budget": {"max": 2000000000, "currency": "VND", "qualifier": "ABOUT"},
            "excluded_countries": [],
            "accepts_used_equipment": False,
            "needed_by": "2027-03-31",
            "absorption": {"workforce": 3, "skills": 2, "capital": 3},
            "enterprise_size": "SMALL",
            "province": "19",
            "source_ref": {"system": "so-khcn-thai-nguyen", "ref": "2026/117"},
        },
    },
    "draft": {
        "summary": "Bản nháp",
        "value": {"title": "Công nghệ bảo quản vải thiều sau thu hoạch"},
    },
}

PATCH: dict[str, Example] = {
    "budget": {
        "summary": "Nâng kinh phí, bỏ hạn",
        "value": {"budget": {"max": 2500000000, "currency": "VND"}, "needed_by": None},
    }
}

TRANSITION: dict[str, Example] = {
    "submit": {"summary": "Gửi xem xét", "value": {"to": "SUBMITTED"}},
    "verify": {
        "summary": "Xác nhận «thực sự cần thiết»",
        "value": {
            "to": "VERIFIED",
            "checklist": {
                "evidence_seen": True,
                "losses_stated": True,
                "investment_decided": False,
                "absorption_assessed": True,
            },
        },
    },
    "return": {
        "summary": "Trả lại để bổ sung",
        "value": {"to": "RETURNED", "reason": "Chưa nêu công suất và kinh phí dự kiến."},
    },
}
