"""Two hundred needs in Vietnamese and supplies to rank: 48 written by hand, the others from
templates over the shipped vocabulary."""

import random
from collections.abc import Iterator

from svc_matching.engine.vocabulary import load_vocabulary

WRITTEN = tuple(
    """
Cần máy sấy chè tiết kiệm năng lượng, thay cho lò than củi đang dùng
Hợp tác xã muốn mua máy vò chè cỡ nhỏ, có bảo hành và hướng dẫn vận hành
Tìm công nghệ xử lý nước thải dệt nhuộm đạt cột A
Doanh nghiệp cần dây chuyền đóng gói cà phê tự động cho xưởng mới
Giống lúa chịu mặn cho vùng ven biển, thời gian sinh trưởng ngắn
Phần mềm quản lý kho lạnh thủy sản, kết nối với cảm biến nhiệt độ
Hệ thống giám sát ao nuôi tôm từ xa bằng cảm biến đo oxy hòa tan
Pin lithium cho xe máy điện, sạc nhanh và an toàn cháy nổ
Máy phay năm trục gia công khuôn mẫu cho ngành nhựa
Chế phẩm vi sinh xử lý rác thải sinh hoạt tại nguồn
Công nghệ in ba chiều kim loại để làm khuôn đúc
Robot hàn khung xe thay thợ hàn thủ công
Vắc xin phòng bệnh cho lợn và gia cầm, bảo quản ở nhiệt độ thường
Màng lọc nước biển thành nước ngọt cho đảo xa bờ
Đếm cá giống bằng hình ảnh, sai số dưới hai phần trăm
Chiết xuất tinh dầu quế và hồi bằng hơi nước bão hòa
Bảo quản quả vải tươi để xuất khẩu sang thị trường xa
Nhà màng trồng dưa lưới có tưới nhỏ giọt và bón phân tự động
Thu hồi khí sinh học từ trại lợn để phát điện
Vật liệu cách nhiệt từ trấu cho nhà ở nông thôn
Máy thu hoạch mía phù hợp ruộng dốc và thửa nhỏ
Sản xuất phân bón hữu cơ từ bùn thải ao nuôi cá tra
Thiết bị đo độ ẩm hạt lúa trước khi nhập kho
Công nghệ đúc gang cầu cho chi tiết máy nông nghiệp
Truy xuất nguồn gốc rau an toàn bằng mã vạch
Khử trùng dụng cụ y tế bằng hơi nước ở bệnh viện huyện
Kính hiển vi dùng cho phòng thí nghiệm trường đại học
Hệ thống cảnh báo sạt lở đất ở vùng núi
Lò nung gốm sứ dùng khí hóa lỏng thay cho củi
Nhuộm vải ít nước, không dùng hóa chất độc hại
Tấm pin mặt trời nổi trên hồ thủy lợi
Máy bay không người lái phun thuốc bảo vệ thực vật cho lúa
Xử lý khói lò đốt rác thải y tế
Dây chuyền sơ chế rau quả, rửa và phân loại theo kích thước
Chế biến tinh bột sắn, giảm mùi hôi và nước thải
Công nghệ sấy lạnh dược liệu giữ hoạt chất
Gỗ ép từ phế phẩm dừa cho đồ nội thất
Tái chế nhựa bao bì nhiều lớp thành hạt nhựa
Hệ thống lạnh cho tàu cá đánh bắt xa bờ
Nuôi cấy mô cây chuối sạch bệnh quy mô lớn
Thiết bị kiểm tra mối hàn bằng siêu âm
Bơm nước chạy bằng năng lượng mặt trời cho vùng khô hạn
Phân tích ảnh vệ tinh để dự báo năng suất lúa
Công nghệ mạ kẽm không dùng xyanua
Sản xuất gạch không nung từ tro bay nhiệt điện
Máy lọc máu cho bệnh nhân suy thận
Ép dầu lạc và vừng, giữ hương vị, năng suất lớn
Giảm tiếng ồn cho máy nén khí trong nhà xưởng
""".strip().splitlines()
)

_NEEDS = (
    "Cần {0} cho {1}",
    "Doanh nghiệp tìm {0}, ưu tiên {1}",
    "Hợp tác xã muốn đầu tư {0} và {1}",
    "Tìm đối tác chuyển giao công nghệ {0} thay cho {1}",
    "{0} kết hợp {1}, chi phí thấp",
)
_SUPPLIES = {
    "vi": ("{0} dùng trong {1}", "Thiết bị {0}. Có thể kết hợp với {1}.", "Quy trình {0}, {1}"),
    "en": ("{0} for {1}", "Process of {0} and {1}"),
    "ko": ("{0}, {1}",),
    "de": ("{0} für {1}",),
}


def needs(count: int = 200) -> list[str]:
    """Return the needs, the same ones every time."""
    return [*WRITTEN, *_from_templates(_NEEDS, "vi", count - len(WRITTEN), seed=1)]


def supplies() -> Iterator[tuple[str, str]]:
    """Yield the texts of supplies with their languages; each written need has one that fits."""
    for text in WRITTEN:
        yield text.split(" ", 1)[1], "vi"
    for seed, (language, count) in enumerate({"vi": 350, "en": 100, "ko": 50, "de": 50}.items()):
        for text in _from_templates(_SUPPLIES[language], language, count, seed=2 + seed):
            yield text, language


def _from_templates(
    templates: tuple[str, ...], language: str, count: int, seed: int
) -> Iterator[str]:
    dice = random.Random(seed)
    labels = sorted({label for label, _ in load_vocabulary().labels(language)})
    for number in range(count):
        yield templates[number % len(templates)].format(*dice.sample(labels, 2))
