"""Examples in the API's documentation."""

from fastapi.openapi.models import Example

SUPPLY: dict[str, Example] = {
    "heat-pump-dryer": {
        "summary": "Máy sấy bơm nhiệt của Hàn Quốc",
        "value": {
            "title": "Dây chuyền sấy chè bằng bơm nhiệt, 300–600 kg/giờ",
            "summary": "Giảm 40 % điện năng so với sấy điện trở, giữ hương chè.",
            "description": (
                "Dây chuyền sấy băng tải hai tầng dùng bơm nhiệt CO2, điều khiển độ ẩm theo mẻ."
                " Nhà cung cấp lắp đặt, đào tạo và bảo hành 24 tháng."
            ),
            "language": "vi",
            "kind": "LINE",
            "specifications": [
                {"name": "công suất", "min": 300, "max": 600, "unit": "kg/h"},
                {"name": "độ ẩm sau sấy", "max": 4, "unit": "%"},
            ],
            "benefits": [
                {"metric": "điện năng", "change": -40, "unit": "%", "baseline": "sấy điện trở"}
            ],
            "keywords": ["sấy chè", "bơm nhiệt"],
            "fields": ["2.11"],
            "industries": ["1079"],
            "trl": 9,
            "transfer": {"scope": "WHOLE", "right": "USE", "parts": ["EQUIPMENT", "KNOW_HOW"]},
            "price": {"min": 1800000000, "currency": "VND", "qualifier": "ABOUT"},
            "requires": {"workforce": 2, "skills": 2},
            "condition": "NEW",
            "country": "KR",
            "source": {"kind": "OFFICE", "system": "kiat", "ref": "TT-2026-0415"},
            "available_until": "2027-12-31",
        },
    },
    "draft": {
        "summary": "Bản nháp",
        "value": {"title": "Mô hình nhà màng trồng rau thủy canh"},
    },
}

PATCH: dict[str, Example] = {
    "price": {
        "summary": "Giảm giá, bỏ hạn",
        "value": {"price": {"min": 1600000000, "currency": "VND"}, "available_until": None},
    }
}

TRANSITION: dict[str, Example] = {
    "submit": {"summary": "Gửi thẩm định", "value": {"to": "SUBMITTED"}},
    "hold": {
        "summary": "Tạm ngừng",
        "value": {"to": "ON_HOLD", "reason": "Đang thực hiện hai hợp đồng."},
    },
    "flag": {
        "summary": "Gắn cờ",
        "value": {"to": "FLAGGED", "reason": "Bằng sáng chế đã hết hiệu lực."},
    },
}
