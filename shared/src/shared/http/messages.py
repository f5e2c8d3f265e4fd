"""Validation messages in Vietnamese, by Pydantic's error type; English ones are Pydantic's own."""

from collections.abc import Mapping
from typing import Any

_VIETNAMESE: dict[str, str] = {
    "missing": "Thiếu trường bắt buộc.",
    "extra_forbidden": "Trường này không có trong hợp đồng API; hãy kiểm tra chính tả.",
    "json_invalid": "JSON sai cú pháp.",
    "json_type": "Cần một chuỗi JSON.",
    "string_type": "Cần một chuỗi ký tự.",
    "string_too_long": "Dài quá {max_length} ký tự.",
    "string_too_short": "Ngắn hơn {min_length} ký tự.",
    "string_pattern_mismatch": "Sai định dạng, cần theo mẫu {pattern}.",
    "string_unicode": "Chuỗi không phải Unicode hợp lệ.",
    "int_type": "Cần một số nguyên.",
    "int_parsing": "Cần một số nguyên.",
    "int_from_float": "Cần một số nguyên, không có phần lẻ.",
    "int_parsing_size": "Số nguyên quá lớn.",
    "float_type": "Cần một số.",
    "float_parsing": "Cần một số.",
    "finite_number": "Cần một số hữu hạn.",
    "bool_type": "Cần true hoặc false.",
    "bool_parsing": "Cần true hoặc false.",
    "list_type": "Cần một danh sách.",
    "dict_type": "Cần một đối tượng.",
    "model_type": "Cần một đối tượng JSON.",
    "model_attributes_type": "Cần một đối tượng JSON.",
    "too_long": "Danh sách có quá {max_length} phần tử.",
    "enum": "Giá trị không hợp lệ; các giá trị được phép: {expected}.",
    "literal_error": "Giá trị không hợp lệ; các giá trị được phép: {expected}.",
    "greater_than_equal": "Phải lớn hơn hoặc bằng {ge}.",
    "less_than_equal": "Phải nhỏ hơn hoặc bằng {le}.",
    "greater_than": "Phải lớn hơn {gt}.",
    "less_than": "Phải nhỏ hơn {lt}.",
    "date_parsing": "Cần một ngày dạng YYYY-MM-DD.",
    "date_from_datetime_parsing": "Cần một ngày dạng YYYY-MM-DD.",
    "date_type": "Cần một ngày dạng YYYY-MM-DD.",
    "datetime_parsing": "Cần thời điểm dạng RFC 3339.",
    "datetime_from_date_parsing": "Cần thời điểm dạng RFC 3339.",
    "uuid_parsing": "Cần một mã UUID.",
    "uuid_type": "Cần một mã UUID.",
    "value_error": "Giá trị không hợp lệ.",
    "money_empty": "Hãy cho `min`, `max` hoặc cả hai.",
    "money_order": "`min` lớn hơn `max`.",
    "quantity_empty": "Hãy cho `min`, `max` hoặc cả hai.",
    "quantity_order": "`min` lớn hơn `max`.",
    "preview_source": "Hãy gửi `text` hoặc `demand`, một trong hai.",
    "preview_language": "`language` đi với `text`; nhu cầu có ngôn ngữ riêng.",
    "unknown_country": "«{value}» không có trong ISO 3166-1 alpha-2.",
    "unknown_province": "«{value}» không có trong danh mục tỉnh của Tổng cục Thống kê.",
    "unknown_currency": "«{value}» không có trong ISO 4217.",
}


def localised(error: Mapping[str, Any], *, english: bool) -> str:
    """Return the message of one Pydantic error in the wanted language."""
    own = str(error.get("msg", ""))
    template = None if english else _VIETNAMESE.get(str(error.get("type")))
    if template is None:
        return own
    try:
        return template.format(**error.get("ctx", {})).replace(" or ", " hoặc ")
    except (KeyError, IndexError):
        return own
