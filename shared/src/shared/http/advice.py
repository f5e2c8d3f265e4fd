"""What each diagnosis of a health check means and what to do about it, in both languages.

Written for whoever is on duty and has only the health page: first what is wrong, then the step.
Commands and log files are those of `docs/operators.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in Vietnamese and in English."""

    vi: str
    en: str

    def as_json(self) -> dict[str, str]:
        return {"vi": self.vi, "en": self.en}

    def text(self, *, english: bool) -> str:
        return self.en if english else self.vi


@dataclass(frozen=True, slots=True)
class Advice:
    """`what` is wrong, and what `todo` about it."""

    what: Text
    todo: Text


def _advice(what_vi: str, what_en: str, todo_vi: str, todo_en: str) -> Advice:
    return Advice(Text(what_vi, what_en), Text(todo_vi, todo_en))


_DATABASE: Mapping[str, Advice] = {
    "database_unreachable": _advice(
        "Không kết nối được tới PostgreSQL.",
        "PostgreSQL cannot be reached.",
        "Xem PostgreSQL có đang chạy không (logs/postgres.log; `ketnoi status`); máy chủ nhúng tự"
        " khởi động lại. Nếu dùng máy chủ riêng: kiểm tra địa chỉ, cổng, tường lửa.",
        "See whether PostgreSQL runs (logs/postgres.log, `ketnoi status`); the embedded server is"
        " restarted by itself. With a server of your own: check address, port, firewall.",
    ),
    "database_silent": _advice(
        "PostgreSQL nhận kết nối nhưng không trả lời kịp.",
        "PostgreSQL takes connections and does not answer in time.",
        "Máy chủ bị treo hoặc quá tải: xem tải CPU, đĩa và khóa (`pg_stat_activity`);"
        " nếu treo hẳn, khởi động lại PostgreSQL.",
        "The server hangs or is overloaded: look at CPU, disk and locks (`pg_stat_activity`);"
        " if it hangs for good, restart PostgreSQL.",
    ),
    "database_wrong_password": _advice(
        "PostgreSQL từ chối mật khẩu của dịch vụ.",
        "PostgreSQL refuses the service's password.",
        "Mật khẩu đã bị đổi: chạy `ketnoi provision` (hoặc khởi động lại bằng `make run`) để đặt"
        " lại theo credentials.json, rồi khởi động lại dịch vụ.",
        "The password was changed: run `ketnoi provision` (or start again with `make run`), which"
        " sets it to what credentials.json says, then restart the service.",
    ),
    "database_no_rights": _advice(
        "Tài khoản của dịch vụ thiếu quyền trong PostgreSQL.",
        "The service's role lacks a right in PostgreSQL.",
        "Chạy `ketnoi provision` để cấp lại quyền trên lược đồ.",
        "Run `ketnoi provision`, which grants the rights on the schema again.",
    ),
    "database_missing": _advice(
        "Không có cơ sở dữ liệu hoặc lược đồ mà dịch vụ cần.",
        "The database or schema that the service needs is not there.",
        "Chạy `ketnoi provision`; nếu dữ liệu đã mất, khôi phục từ bản sao lưu trước.",
        "Run `ketnoi provision`; if data was lost, restore the backup first.",
    ),
    "database_disk_full": _advice(
        "Đĩa của PostgreSQL đã đầy: không ghi được nữa.",
        "The disk of PostgreSQL is full: nothing can be written.",
        "Giải phóng dung lượng trên đĩa chứa data/postgres (hoặc mở rộng đĩa);"
        " việc ghi tự tiếp tục, không cần khởi động lại.",
        "Free space on the disk that holds data/postgres (or enlarge it);"
        " writing goes on by itself, no restart is needed.",
    ),
    "database_read_only": _advice(
        "PostgreSQL đang ở chế độ chỉ đọc.",
        "PostgreSQL is read-only.",
        "Kết nối đang trỏ tới máy dự phòng hoặc máy chủ bị khóa ghi: trỏ DATABASE_URL tới máy"
        " chính, hoặc tắt default_transaction_read_only.",
        "The address leads to a standby, or writing was switched off: point DATABASE_URL to the"
        " primary, or switch default_transaction_read_only off.",
    ),
    "database_starting": _advice(
        "PostgreSQL đang khởi động, khôi phục hoặc tắt.",
        "PostgreSQL is starting, recovering or shutting down.",
        "Chờ một phút; nếu kéo dài, xem logs/postgres.log.",
        "Wait a minute; if it lasts, look at logs/postgres.log.",
    ),
    "database_no_connections": _advice(
        "PostgreSQL đã hết số kết nối cho phép.",
        "PostgreSQL has no connection left to give.",
        "Tìm ai đang giữ kết nối (`pg_stat_activity`); giảm số tiến trình hoặc"
        " KETNOI_DATABASE_POOL_SIZE, hoặc tăng max_connections.",
        "See who holds connections (`pg_stat_activity`); run fewer processes, lower"
        " KETNOI_DATABASE_POOL_SIZE, or raise max_connections.",
    ),
    "database_error": _advice(
        "PostgreSQL trả lời bằng một lỗi khác.",
        "PostgreSQL answers with another error.",
        "Đọc `output` và logs/postgres.log.",
        "Read `output` and logs/postgres.log.",
    ),
    "pool_exhausted": _advice(
        "Mọi kết nối cơ sở dữ liệu của dịch vụ đang bận.",
        "All database connections of the service are in use.",
        "Tìm truy vấn chậm hoặc khóa (`pg_stat_activity`); nếu tải thật sự cao, tăng"
        " KETNOI_DATABASE_POOL_SIZE hoặc thêm tiến trình.",
        "Look for slow queries or locks (`pg_stat_activity`); if the load is real, raise"
        " KETNOI_DATABASE_POOL_SIZE or add processes.",
    ),
    "migrations_pending": _advice(
        "Lược đồ cơ sở dữ liệu cũ hơn phiên bản phần mềm.",
        "The database schema is older than the software.",
        "Chạy `ketnoi provision` để nâng cấp lược đồ.",
        "Run `ketnoi provision`, which brings the schema up to date.",
    ),
}

_BROKER: Mapping[str, Advice] = {
    "broker_away": _advice(
        "Không kết nối được tới NATS. Vẫn đọc và ghi được; sự kiện chờ trong outbox.",
        "NATS cannot be reached. Reading and writing go on; events wait in the outbox.",
        "Xem nats-server có chạy không (logs/nats.log); máy chủ nhúng tự khởi động lại và hệ thống"
        " tự gửi bù, không mất sự kiện nào.",
        "See whether nats-server runs (logs/nats.log); the embedded one is restarted by itself, and"
        " what waits is sent then: no event is lost.",
    ),
    "broker_silent": _advice(
        "NATS còn kết nối nhưng JetStream không trả lời.",
        "NATS is connected, and JetStream does not answer.",
        "Xem logs/nats.log và dung lượng đĩa của data/nats; nếu máy chủ treo, khởi động lại nó.",
        "Look at logs/nats.log and at the disk of data/nats; if the server hangs, restart it.",
    ),
    "broker_wrong_password": _advice(
        "NATS từ chối người dùng hoặc mật khẩu của dịch vụ.",
        "NATS refuses the service's user or password.",
        "Khởi động lại bằng `make run` để ghi lại nats-users.conf theo credentials.json; với máy"
        " chủ riêng: nạp lại tệp người dùng đó (`nats-server --signal reload`).",
        "Start again with `make run`, which writes nats-users.conf anew from credentials.json; on a"
        " server of your own load that file again (`nats-server --signal reload`).",
    ),
    "broker_no_rights": _advice(
        "NATS không cho dịch vụ gửi hoặc nhận trên một chủ đề nó cần.",
        "NATS does not let the service publish or subscribe to a subject that it needs.",
        "Quyền trong nats-users.conf đã bị đổi: ghi lại tệp (khởi động lại bằng `make run`) và nạp"
        " lại nats-server. `output` nêu chủ đề.",
        "The rights in nats-users.conf were changed: write it anew (start with `make run`) and"
        " reload nats-server. `output` names the subject.",
    ),
    "broker_disk_full": _advice(
        "JetStream hết tài nguyên: đĩa hoặc hạn mức lưu trữ đã đầy.",
        "JetStream is out of resources: its disk or its storage limit is full.",
        "Giải phóng dung lượng trên đĩa chứa data/nats (hoặc tăng max_file_store), rồi khởi động"
        " lại nats-server: nó không tự hồi phục. Sự kiện đang chờ an toàn trong outbox.",
        "Free space on the disk that holds data/nats (or raise max_file_store), then restart"
        " nats-server: it does not recover by itself. Events wait safely in the outbox.",
    ),
    "broker_unwell": _advice(
        "nats-server tự báo là nó không khỏe.",
        "nats-server says of itself that it is not well.",
        "Đọc `output` và logs/nats.log; khởi động lại nats-server nếu nó không tự khỏi. Sự kiện"
        " đang chờ an toàn trong outbox.",
        "Read `output` and logs/nats.log; restart nats-server if it does not recover. Events wait"
        " safely in the outbox.",
    ),
    "stream_full": _advice(
        "Luồng sự kiện đã đầy (max_bytes): không nhận thêm sự kiện.",
        "The stream is full (max_bytes): it takes no more events.",
        "Tăng max_bytes của luồng (nats stream edit, hoặc bảng trong shared.contracts.messaging rồi"
        " `ketnoi provision`); sự kiện đang chờ sẽ tự được gửi.",
        "Raise max_bytes of the stream (nats stream edit, or the table in"
        " shared.contracts.messaging and `ketnoi provision`); what waits is sent by itself.",
    ),
    "messaging_missing": _advice(
        "Một luồng hoặc bộ nhận sự kiện đã bị xóa khỏi NATS.",
        "A stream or a consumer was deleted from NATS.",
        "Chạy `ketnoi provision` (hoặc khởi động lại bằng `make run`) để tạo lại; sự kiện đã lưu"
        " được gửi và đọc lại, cái nào xử lý rồi thì bỏ qua. `output` nêu tên.",
        "Run `ketnoi provision` (or start again with `make run`) to make it again; kept events are"
        " sent and read again, and what was done is skipped. `output` names it.",
    ),
    "messaging_unseen": _advice(
        "NATS không cho biết tình trạng luồng và bộ nhận.",
        "NATS does not tell how streams and consumers are.",
        "Xem mục nats và logs/nats.log; `output` là lời của máy chủ.",
        "See the entry nats and logs/nats.log; `output` is what the server says.",
    ),
    "stream_incomplete": _advice(
        "Luồng trong NATS thiếu sự kiện mà outbox đã gửi.",
        "The stream in NATS lacks events that the outbox has sent.",
        "Kho của NATS bị mất hoặc hỏng một phần: chạy `ketnoi republish`; gửi lại không gây trùng.",
        "The broker's store was lost or damaged in part: run `ketnoi republish`; sending again"
        " doubles nothing.",
    ),
    "messaging_drift": _advice(
        "Cấu hình luồng hoặc bộ nhận khác với bảng quy định.",
        "A stream or consumer is configured otherwise than the table says.",
        "Ai đó đã sửa tay: chạy `ketnoi provision` để đặt lại; `output` nêu chỗ khác.",
        "Somebody changed it by hand: run `ketnoi provision`; `output` names the difference.",
    ),
    "outbox_late": _advice(
        "Sự kiện đã ghi nhưng lâu chưa gửi được tới NATS.",
        "Events are recorded, and for long have not reached NATS.",
        "Xem mục nats ở trên và logs/<dịch vụ>.log (`relay_waits`); sau khi nguyên nhân hết,"
        " sự kiện tự được gửi, không mất gì.",
        "See the nats entry and logs/<service>.log (`relay_waits`); once the cause is gone the"
        " events are sent by themselves, nothing is lost.",
    ),
    "consumer_stopped": _advice(
        "Một bộ nhận không nhận được sự kiện, hoặc có sự kiện chờ mà không xử lý được cái nào.",
        "A consumer gets no events, or events wait and none of them is finished.",
        "Nếu mục nats báo lỗi, xem mục đó trước. Nếu không, dịch vụ bị treo ở một sự kiện: xem"
        " logs/<dịch vụ>.log, rồi khởi động lại dịch vụ; sự kiện dở dang được giao lại.",
        "If the entry nats shows a fault, see that first. Else the service hangs on an event: look"
        " at logs/<service>.log, then restart the service; what it held is delivered again.",
    ),
    "dead_letters_open": _advice(
        "Có sự kiện hỏng đã bị gác lại, chờ người xử lý. Các sự kiện khác vẫn chạy.",
        "Broken events were set aside and wait for a person. All others go on.",
        "`ketnoi dlq list` và `ketnoi dlq show` cho biết lý do; sửa nguyên nhân rồi"
        " `ketnoi dlq redrive`, hoặc `ketnoi dlq discard` kèm lý do.",
        "`ketnoi dlq list` and `ketnoi dlq show` say why; put the cause right, then"
        " `ketnoi dlq redrive`, or `ketnoi dlq discard` with a reason.",
    ),
}

_UNKNOWN = {
    name: _advice(
        "Không xem được tình trạng này.",
        "How this stands cannot be seen.",
        "Phần mà nó dựa vào (PostgreSQL hoặc NATS) không trả lời: xem mục đó trước.",
        "What it depends on (PostgreSQL or NATS) does not answer: see that entry first.",
    )
    for name in ("outbox_unknown", "consumer_unknown", "dead_letters_unknown")
}

_PROCESS: Mapping[str, Advice] = {
    "matches_late": _advice(
        "Nhu cầu đã công bố chờ quá lâu để được khớp nối.",
        "Published demands wait too long to be matched.",
        "Xem các mục consumers và nats của svc-matching, rồi logs/svc-matching.log.",
        "See the entries consumers and nats of svc-matching, then logs/svc-matching.log.",
    ),
    "index_loading": _advice(
        "Chỉ mục khớp nối đang được nạp.",
        "The matching index is being loaded.",
        "Chờ; nếu quá vài phút, xem logs/svc-matching.log.",
        "Wait; after some minutes look at logs/svc-matching.log.",
    ),
    "candidates_unreachable": _advice(
        "Milvus, nơi tìm các nguồn cung tiềm năng, không trả lời; danh sách đã có vẫn đọc được,"
        " danh sách mới phải chờ.",
        "Milvus, which finds the candidates, does not answer; lists that are there can be read,"
        " new ones wait.",
        "Xem Milvus có đang chạy không và KETNOI_MILVUS_URI; khi Milvus trả lời, mọi việc tự tiếp"
        " tục. Có thể trở lại chỉ mục cục bộ: bỏ KETNOI_MATCHING_CANDIDATES rồi khởi động lại.",
        "See whether Milvus runs, and KETNOI_MILVUS_URI; everything goes on by itself once it"
        " answers. To go back to the local index unset KETNOI_MATCHING_CANDIDATES and restart.",
    ),
    "embedder_down": _advice(
        "Dịch vụ nhúng văn bản (embedding) không trả lời hoặc trả lời sai. Khớp nối vẫn chạy: văn"
        " bản mới được xếp hạng theo từ ngữ.",
        "The embedder does not answer, or answers wrongly. Matching goes on: new texts are ranked"
        " by their terms.",
        "Đọc `output`; xem dịch vụ đó có chạy không và các biến KETNOI_EMBEDDINGS_* có đúng không."
        " Phần còn thiếu (`observedValue`) sẽ tự được làm bù.",
        "Read `output`; see whether that service runs and whether KETNOI_EMBEDDINGS_* are right."
        " What is missing (`observedValue`) is made up for by itself.",
    ),
    "clock_skew": _advice(
        "Đồng hồ của máy này và của PostgreSQL lệch nhau hơn 5 giây.",
        "The clocks of this machine and of PostgreSQL differ by more than 5 seconds.",
        "Bật đồng bộ giờ (chrony, systemd-timesyncd) trên cả hai máy; `observedValue` là số giây"
        " máy này nhanh hơn.",
        "Switch time synchronisation on (chrony, systemd-timesyncd) on both; `observedValue` is by"
        " how many seconds this one is ahead.",
    ),
    "token_clock_skew": _advice(
        "Mã truy cập được ký với giờ ở tương lai: đồng hồ của cổng và của dịch vụ lệch nhau.",
        "Tokens are signed in the future: the clocks of the gateway and of this service differ.",
        "Bật đồng bộ giờ (chrony, systemd-timesyncd) trên máy của cổng và của dịch vụ này.",
        "Switch time synchronisation on (chrony, systemd-timesyncd) where the gateway and where"
        " this service run.",
    ),
    "loop_slow": _advice(
        "Tiến trình quá bận: vòng lặp sự kiện bị trễ.",
        "The process is too busy: its event loop is late.",
        "Xem tải CPU của máy; nếu kéo dài, thêm CPU hoặc chạy worker ở tiến trình riêng.",
        "Look at the machine's CPU load; if it lasts, add CPU or run the worker apart.",
    ),
    "task_died": _advice(
        "Một tác vụ nền đã chết và được khởi động lại.",
        "A background task died and was started again.",
        "Xem `loop_died` trong logs/<dịch vụ>.log; nếu lặp lại, báo lỗi kèm nhật ký đó.",
        "See `loop_died` in logs/<service>.log; if it repeats, report it with that log.",
    ),
    "disk_low": _advice(
        "Đĩa chứa dữ liệu sắp đầy.",
        "The disk that holds the data is nearly full.",
        "Giải phóng dung lượng hoặc mở rộng đĩa trước khi việc ghi bị dừng.",
        "Free space or enlarge the disk before writing stops.",
    ),
    "disk_full": _advice(
        "Đĩa chứa dữ liệu đã đầy.",
        "The disk that holds the data is full.",
        "Giải phóng dung lượng ngay; sau đó khởi động lại nats-server (PostgreSQL tự tiếp tục).",
        "Free space now; then restart nats-server (PostgreSQL goes on by itself).",
    ),
    "leaving": _advice(
        "Dịch vụ đang dừng theo yêu cầu.",
        "The service is stopping, as it was told to.",
        "Không cần làm gì; nếu không phải bạn dừng nó, xem ai đã gửi SIGTERM.",
        "Nothing; if it was not you, find out who sent SIGTERM.",
    ),
    "not_checked": _advice(
        "Chưa kiểm tra được vì một phần khác đang hỏng.",
        "Could not be looked at, since another part is broken.",
        "Khắc phục phần nêu trong `output` trước.",
        "Put the part named in `output` right first.",
    ),
    "check_failed": _advice(
        "Không kiểm tra được phần này.",
        "This part could not be checked.",
        "Đọc `output` và nhật ký của dịch vụ.",
        "Read `output` and the service's log.",
    ),
}

_SUITE: Mapping[str, Advice] = {
    "service_down": _advice(
        "Dịch vụ không chạy: cổng mạng của nó từ chối kết nối.",
        "The service does not run: its port refuses connections.",
        "Trình khởi động tự chạy lại nó trong vài giây; nếu không, xem logs/<dịch vụ>.log và chạy"
        " lại `make run`.",
        "The launcher starts it again within seconds; if not, look at logs/<service>.log and start"
        " `make run` again.",
    ),
    "service_silent": _advice(
        "Dịch vụ còn chạy nhưng không trả lời trong 1 giây.",
        "The service runs, and does not answer within 1 second.",
        "Tiến trình bị treo hoặc quá tải: xem CPU và logs/<dịch vụ>.log; nếu treo, kết thúc tiến"
        " trình (pid trong run/state.json), trình khởi động sẽ chạy lại nó.",
        "The process hangs or is overloaded: look at CPU and logs/<service>.log; if it hangs, kill"
        " it (its pid is in run/state.json) and the launcher starts it again.",
    ),
    "service_unreadable": _advice(
        "Ở địa chỉ của dịch vụ có thứ khác trả lời.",
        "Something else answers at the service's address.",
        "Kiểm tra KETNOI_<DỊCH VỤ>_URL của cổng và xem tiến trình nào giữ cổng mạng đó.",
        "Check the gateway's KETNOI_<SERVICE>_URL, and which process holds that port.",
    ),
    "breaker_open": _advice(
        "Cổng tạm ngừng gọi dịch vụ vì phần lớn lần gọi gần đây thất bại.",
        "The gateway has stopped calling the service, since most recent calls failed.",
        "Xem mục của chính dịch vụ đó; cổng tự thử lại sau 1–10 giây.",
        "See that service's own entry; the gateway tries again by itself after 1–10 seconds.",
    ),
    "bulkhead_full": _advice(
        "Quá nhiều yêu cầu đang chờ dịch vụ: cổng từ chối bớt (503).",
        "Too many requests wait for the service: the gateway refuses some (503).",
        "Dịch vụ chậm hơn tải: xem mục của nó; nếu nó khỏe, tăng KETNOI_UPSTREAM_SLOTS.",
        "The service is slower than the load: see its entry; if it is well, raise"
        " KETNOI_UPSTREAM_SLOTS.",
    ),
}

ADVICE: Mapping[str, Advice] = {**_DATABASE, **_BROKER, **_UNKNOWN, **_PROCESS, **_SUITE}
"""Every code that a check may give."""


def advice_for(code: str) -> Advice:
    """Return what is known about a code; a new one is explained by its `output` alone."""
    return ADVICE.get(code) or ADVICE["check_failed"]
