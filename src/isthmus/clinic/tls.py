"""TLS for associations: both sides show a certificate that the named authority signed (PS3.15 annex B)."""

import ssl
from typing import Literal

from isthmus.clinic.node_settings import Tls
from isthmus.errors import InputError


def tls_context(settings: Tls, side: Literal["server", "client"]) -> ssl.SSLContext:
    """Return what wraps a connection; TLS 1.2 or later, the other side's certificate required.

    Raises
    ------
    InputError
        When a file is missing, is no certificate or key, or the two do not belong together.
    """
    kind = ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(kind)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Applications are known by the authority that signed them: addresses of scanners are rarely in certificates.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    for path in (settings.certificate, settings.key, settings.authority):
        if not path.is_file():
            raise InputError("no such file", where=str(path), expected="a file in PEM")
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (ssl.SSLError, OSError) as error:
        raise InputError(
            "this certificate and key cannot be used", where=f"{settings.certificate}, {settings.key}",
            expected="a certificate and its own key in PEM, the key without a password",
        ) from error  # fmt: skip
    try:
        context.load_verify_locations(settings.authority)
    except (ssl.SSLError, OSError) as error:
        raise InputError(
            "this is no certificate of an authority", where=str(settings.authority), expected="PEM"
        ) from error
    return context
