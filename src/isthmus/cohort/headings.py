"""What headings and values of a hospital's table seem to mean, in Chinese and English: guesses, for a draft alone."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from isthmus.cohort.cell_values import CODES, tidy

IDENTIFYING: Final = "identifying"
FILE: Final = "file"
LABEL: Final = "label"

_HEADINGS: Final[tuple[tuple[str, str], ...]] = (
    (
        IDENTIFYING,
        ".*(姓名|身份证|证件号|电话|手机|联系|住址|地址|邮箱|出生|医生|医师|操作者|签名).*|"
        r"(patient|full|first|last|family|given)?[ _']*(s[ _])?name|surname|phone|mobile|telephone|address|e-?mail|"
        r"birth.*|dob|(id|identity)[ _]?card.*|physician|doctor|operator|radiologist|reporter",
    ),
    ("nodule_id", r"结节(编号|序号|号|id)|病灶(编号|序号|号|id)|(nodule|lesion)([ _]?(id|no\.?|nr|number|index))?"),
    (
        "patient_id",
        "登记号|住院号|病历号|病案号|门诊号|就诊卡号|(患者|病人)(编号|号|id)|"
        r"(patient|pat|subject|case|hospital|record|medical record)[ _]?(id|no\.?|nr|number)|patientid|pid|mrn|case",
    ),
    ("exam_id", r"检查(编?号|流水号)|超声(编?号)|影像号|accession.*|(exam|study)[ _]?(id|no\.?|number)"),
    ("exam_date", r"(检查|超声|扫描|报告)(日期|时间)|日期|(exam|study|scan|examination|acquisition)?[ _]?date.*"),
    ("sex", "性别|sex|gender"),
    ("age_years", r"(患者|检查)?年龄.*|age.*"),
    ("size_mm", r"(结节|病灶|肿物)?(大小|最大径|直径|长径|尺寸|最大直径).*|.*(size|diameter|dimension).*"),
    ("tirads", r"(c|k|acr|eu)?[- _]?ti-?rads.*|.*ti-?rads(分类|分级)?|甲状腺影像.*分类"),
    ("composition", "成分|囊实性|内部结构|结构|composition"),
    ("echogenicity", "回声|内部回声|回声类型|echogenicity|echo"),
    ("shape", "形态|形状|纵横比|方位|shape|orientation"),
    ("margin", "边缘|边界|margins?|border"),
    ("echogenic_foci", r"钙化|强回声|点状强回声|局灶性强回声|echogenic[ _]foci|calcifications?|foci"),
    (
        LABEL,
        r"(术后)?病理.*|良恶性?|良恶性.*|性质|金标准|patholog.*|malignan.*|histolog.*|benign.*|"
        r"label|class|result|diagnosis|outcome|ground[ _]?truth",
    ),
    ("site", "医院|院区|中心|机构|医院名称|hospital|site|cent(er|re)|institution.*"),
    ("split", "数据集|分组|split|partition|subset"),
    ("modality", "模态|检查类型|modality"),
    ("plane", "切面|方向|plane"),
    ("device", "(超声)?(设备|仪器|机型|机器)(型号)?|device|scanner|machine"),
    ("frame_rate_hz", r"帧率|帧频|fps|frame[ _]?rate([ _]?(hz|fps|\(hz\)|\(fps\)))?"),
    (
        FILE,
        r"(图像|图片|影像|文件)(名|名称|文件|路径)?|(image|file|picture|img)s?[ _]?(name|file|path|id)?|filename|path",
    ),
    ("location", "位置|部位|侧别|结节位置|location|side|lobe|position"),
    ("birads", r"bi-?rads.*"),
)

_UNCERTAIN: Final = re.compile(
    r"可能|可疑|待查|待排|不除外|待定|疑|考虑|倾向|\?|？|suspicious|suspect|possib|probab|likely|favou?r|uncertain|"
    r"indeterminate|rule|r/o|exclu"
)
# 未分化癌 is undifferentiated carcinoma; a bare "no" is an answer, "no" with more is about what stands beside it.
_NEGATED: Final = re.compile(
    r"非恶|非癌|未(?!分化)|无|没有|不是|排除|no |.\bno\b|not |non|without|free of|absen|[:=]\s*0"
)
_BENIGNITY: Final = re.compile(r"(?!.*(恶|malign)).*(良性|benign).*", re.IGNORECASE)
_SAYS_WHICH: Final = re.compile(
    r"恶|癌|malignan|cancer|carcinoma|良|腺瘤|甲状腺|benign|goit|adenoma|thyroid|\b[pmf]tc\b"
)
_POSITIVE: Final = re.compile(
    r"恶|癌|阳性|malignan|cancer|carcinoma|\bptc\b|\bmtc\b|\bftc\b|positive|\+|^1$|^是$|^yes$|^m$"
)
_NEGATIVE: Final = re.compile(
    r"良|腺瘤|甲状腺肿|甲状腺炎|阴性|benign|goit|adenoma|thyroiditis|negative|^-$|^0$|^否$|^no$|^b$"
)

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "sex": {"男": "M", "女": "F", "male": "M", "female": "F", "m": "M", "f": "F", "男性": "M", "女性": "F"},
    "composition": {
        "囊实性": "mixed",
        "混合性": "mixed",
        "混合": "mixed",
        "实性为主": "predominantly_solid",
        "囊性为主": "predominantly_cystic",
        "海绵状": "spongiform",
        "海绵样": "spongiform",
        "实性": "solid",
        "囊性": "cystic",
    },
    "echogenicity": {
        "极低回声": "very_hypoechoic",
        "低回声": "hypoechoic",
        "等回声": "isoechoic",
        "高回声": "hyperechoic",
        "无回声": "anechoic",
    },
    "shape": {
        "直立": "taller_than_wide",
        "纵横比>1": "taller_than_wide",
        "纵横比≥1": "taller_than_wide",
        ">1": "taller_than_wide",
        "水平": "wider_than_tall",
        "纵横比<1": "wider_than_tall",
        "<1": "wider_than_tall",
        "横位": "wider_than_tall",
    },
    "margin": {
        "光滑": "smooth",
        "光整": "smooth",
        "清晰": "well_defined",
        "清楚": "well_defined",
        "清": "well_defined",
        "模糊": "ill_defined",
        "不清": "ill_defined",
        "不清晰": "ill_defined",
        "欠清": "ill_defined",
        "不规则": "irregular",
        "分叶": "lobulated",
        "分叶状": "lobulated",
        "毛刺": "irregular",
        "甲状腺外侵犯": "extrathyroidal_extension",
        "突破被膜": "extrathyroidal_extension",
    },
    "echogenic_foci": {
        "无": "none",
        "无钙化": "none",
        "未见": "none",
        "微钙化": "punctate",
        "点状强回声": "punctate",
        "粗大钙化": "macrocalcifications",
        "粗钙化": "macrocalcifications",
        "彗星尾": "comet_tail",
        "环状钙化": "peripheral_calcifications",
        "边缘钙化": "peripheral_calcifications",
    },
    "split": {"训练": "train", "训练集": "train", "验证": "tune", "验证集": "tune", "测试": "test", "测试集": "test"}
    | {"training": "train", "val": "tune", "validation": "tune", "testing": "test"},
    "modality": {
        "二维": "bmode",
        "灰阶": "bmode",
        "造影": "ceus",
        "弹性": "swe",
        "彩超": "doppler",
        "多普勒": "doppler",
    },
}


def guess_column(heading: str) -> str | None:
    """Return our column that a heading seems to mean; None where no guess is safe.

    Examples
    --------
    >>> guess_column("病理结果"), guess_column("住院号"), guess_column("Age (years)"), guess_column("姓名")
    ('label', 'patient_id', 'age_years', 'identifying')
    """
    text = tidy(heading).lower()
    bare = re.sub(r"\s*[(\[（].*", "", text)
    for column, pattern in _HEADINGS:
        if re.fullmatch(pattern, text) or re.fullmatch(pattern, bare):
            return column
    return None


def guess_values(column: str, texts: Iterable[str]) -> dict[str, str]:
    """Return each text's likely meaning in a column of codes; '' where it is to be decided by a person.

    Examples
    --------
    >>> guess_values("label", ["恶性", "良性", "可疑恶性"])
    {'恶性': '1', '良性': '0', '可疑恶性': ''}
    """
    return {text: _guess(column, text) for text in texts}


def guess_labels(heading: str, texts: Iterable[str]) -> dict[str, str]:
    """Return each text's likely label; a bare yes, no or number under a heading that asks for benign is left open.

    Examples
    --------
    >>> guess_labels("Malignant", ["yes", "no"]), guess_labels("Benign", ["yes", "no", "benign"])
    ({'yes': '1', 'no': '0'}, {'yes': '', 'no': '', 'benign': '0'})
    """
    found = guess_values(LABEL, texts)
    if _BENIGNITY.fullmatch(tidy(heading)):
        return {text: code if _SAYS_WHICH.search(text.lower()) else "" for text, code in found.items()}
    return found


def guess_unit(heading: str, texts: Iterable[str]) -> str | None:
    """Return the unit that a heading or its cells name; None where neither does."""
    named = " ".join([heading, *texts]).lower()
    units = {"cm": "cm", "厘米": "cm", "mm": "mm", "毫米": "mm"}
    found = {unit for word, unit in units.items() if word in named}
    return found.pop() if len(found) == 1 else None


def _guess(column: str, text: str) -> str:
    low = tidy(text).lower()
    if column == LABEL:
        if _UNCERTAIN.search(low) or _NEGATED.search(low):
            return ""
        positive, negative = bool(_POSITIVE.search(low)), bool(_NEGATIVE.search(low))
        return "" if positive == negative else "1" if positive else "0"
    if column == "tirads":
        return _grade(low)
    codes = {code.lower(): code for code in CODES.get(column, {})}
    words = _WORDS.get(column, {})
    return codes.get(low) or codes.get(low.replace(" ", "_").replace("-", "_")) or words.get(low, "")


def _grade(low: str) -> str:
    if match := re.search(r"tr\s*([1-5])", low):
        return f"TR{match[1]}"
    match = re.search(r"(?<!\d)([1-6])\s*([abc])?(?!\d)", low)
    if match is None:
        return ""
    code = match[1] + (match[2] or "")
    return code if code in CODES["tirads"] else ""
