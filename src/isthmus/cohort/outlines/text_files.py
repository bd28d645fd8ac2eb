"""JSON and XML from anywhere, read under limits: no entities, no endless nesting, no numbers that are none."""

import json
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from isthmus.cohort.outlines.outline import OutlineUnusable

LARGEST_JSON: Final = 256 << 20
"""A LabelMe file holds its picture; a COCO file of 100,000 outlines has about 60 MB."""
LARGEST_XML: Final = 64 << 20


def read_json_file(path: Path) -> Any:
    """Return the content of a JSON file or refuse it."""
    content = _bytes(path, LARGEST_JSON)
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise OutlineUnusable("it is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise OutlineUnusable(f"it is not JSON: {error.msg} (line {error.lineno})") from error
    except RecursionError as error:
        raise OutlineUnusable("its JSON is nested too deeply") from error
    except ValueError as error:
        raise OutlineUnusable(f"it is not JSON: {error}") from error


def read_xml_file(path: Path) -> Element:
    """Return the root of an XML file or refuse it."""
    content = _bytes(path, LARGEST_XML)
    try:
        root: Element = ElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise OutlineUnusable("it declares a document type or entities, which are refused") from error
    except ParseError as error:
        line, column = error.position
        raise OutlineUnusable(f"it is not XML (line {line}, column {column})") from error
    except (ValueError, LookupError) as error:
        raise OutlineUnusable("its declared encoding cannot be read") from error
    return root


def number(value: Any, what: str) -> float:
    """Return a number that a file states, or refuse it."""
    try:
        found = float(value)
    except (TypeError, ValueError) as error:
        raise OutlineUnusable(f"{what} is no number") from error
    if not abs(found) < 1e7:
        raise OutlineUnusable(f"{what} is no plausible number")
    return found


def _bytes(path: Path, most: int) -> bytes:
    size = path.stat().st_size
    if size > most:
        raise OutlineUnusable(f"it has {size:,} bytes, more than the {most:,} that are read")
    return path.read_bytes()


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
