"""Codes of places and currencies, as data: GSO provinces, ISO 3166-1, ISO 4217."""

# GSO code → (name, code of the province it became part of on 2025-07-01, itself when it stayed).
# Resolution 202/2025/QH15 merged 63 provinces into 34.
PROVINCES: dict[str, tuple[str, str]] = {
    "01": ("Hà Nội", "01"),
    "02": ("Hà Giang", "08"),
    "04": ("Cao Bằng", "04"),
    "06": ("Bắc Kạn", "19"),
    "08": ("Tuyên Quang", "08"),
    "10": ("Lào Cai", "15"),
    "11": ("Điện Biên", "11"),
    "12": ("Lai Châu", "12"),
    "14": ("Sơn La", "14"),
    "15": ("Yên Bái", "15"),
    "17": ("Hòa Bình", "25"),
    "19": ("Thái Nguyên", "19"),
    "20": ("Lạng Sơn", "20"),
    "22": ("Quảng Ninh", "22"),
    "24": ("Bắc Giang", "24"),
    "25": ("Phú Thọ", "25"),
    "26": ("Vĩnh Phúc", "25"),
    "27": ("Bắc Ninh", "24"),
    "30": ("Hải Dương", "31"),
    "31": ("Hải Phòng", "31"),
    "33": ("Hưng Yên", "33"),
    "34": ("Thái Bình", "33"),
    "35": ("Hà Nam", "37"),
    "36": ("Nam Định", "37"),
    "37": ("Ninh Bình", "37"),
    "38": ("Thanh Hóa", "38"),
    "40": ("Nghệ An", "40"),
    "42": ("Hà Tĩnh", "42"),
    "44": ("Quảng Bình", "44"),
    "45": ("Quảng Trị", "44"),
    "46": ("Thừa Thiên Huế", "46"),
    "48": ("Đà Nẵng", "48"),
    "49": ("Quảng Nam", "48"),
    "51": ("Quảng Ngãi", "51"),
    "52": ("Bình Định", "52"),
    "54": ("Phú Yên", "66"),
    "56": ("Khánh Hòa", "56"),
    "58": ("Ninh Thuận", "56"),
    "60": ("Bình Thuận", "68"),
    "62": ("Kon Tum", "51"),
    "64": ("Gia Lai", "52"),
    "66": ("Đắk Lắk", "66"),
    "67": ("Đắk Nông", "68"),
    "68": ("Lâm Đồng", "68"),
    "70": ("Bình Phước", "75"),
    "72": ("Tây Ninh", "80"),
    "74": ("Bình Dương", "79"),
    "75": ("Đồng Nai", "75"),
    "77": ("Bà Rịa - Vũng Tàu", "79"),
    "79": ("Thành phố Hồ Chí Minh", "79"),
    "80": ("Long An", "80"),
    "82": ("Tiền Giang", "82"),
    "83": ("Bến Tre", "86"),
    "84": ("Trà Vinh", "86"),
    "86": ("Vĩnh Long", "86"),
    "87": ("Đồng Tháp", "82"),
    "89": ("An Giang", "91"),
    "91": ("Kiên Giang", "91"),
    "92": ("Cần Thơ", "92"),
    "93": ("Hậu Giang", "92"),
    "94": ("Sóc Trăng", "92"),
    "95": ("Bạc Liêu", "96"),
    "96": ("Cà Mau", "96"),
}

# A merged province that took the code of the partner and not of its namesake, or was renamed:
# the code's name since 2025-07-01 (Decision 19/2025/QĐ-TTg).
CURRENT_NAMES: dict[str, str] = {
    "15": "Lào Cai",
    "24": "Bắc Ninh",
    "44": "Quảng Trị",
    "46": "Huế",
    "52": "Gia Lai",
    "80": "Tây Ninh",
    "82": "Đồng Tháp",
    "91": "An Giang",
}


def same_province(one: str | None, other: str | None) -> bool:
    """True when both codes stand for the same province of today."""
    if one not in PROVINCES or other not in PROVINCES:
        return False
    return PROVINCES[one][1] == PROVINCES[other][1]


def codes_of(province: str) -> list[str]:
    """Return every code, today's and retired ones, of the province that `province` is in."""
    return [code for code in PROVINCES if same_province(code, province)]


COUNTRIES: frozenset[str] = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM
    ZW
    """.split()  # noqa: SIM905 - a table of codes reads better than a line for each
)

CURRENCIES: frozenset[str] = frozenset(
    """
    AED ARS AUD BDT BGN BHD BRL BYN CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR
    IQD IRR ISK JOD JPY KES KHR KRW KWD KZT LAK LKR MAD MMK MNT MOP MXN MYR NGN NOK NZD OMR PEN
    PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UZS VND ZAR
    """.split()  # noqa: SIM905 - a table of codes reads better than a line for each
)
