"""TLS: both sides show a certificate of the named authority. The certificates are made by OpenSSL's own program."""

import gc
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE

from isthmus.clinic.dicom_caller import CallFailed, DicomCaller
from isthmus.clinic.node_settings import DicomAddress, Tls
from isthmus.clinic.tls import tls_context
from isthmus.errors import InputError
from tests.clinic.nodes import Running, picture, running, settings_of, written

# pynetdicom's caller leaves the socket of a connection that failed to the collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)


def made(folder: Path, name: str, authority: str | None = None) -> None:
    """Make a key and a certificate, signed by an authority or by itself."""
    folder.mkdir(exist_ok=True)
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-keyout", f"{folder / name}.key", "-out", f"{folder / name}.crt",
    ]  # fmt: skip
    if authority is not None:
        command += ["-CA", f"{folder / authority}.crt", "-CAkey", f"{folder / authority}.key"]
    subprocess.run(command, check=True, capture_output=True)


def files(folder: Path, name: str, authority: str = "authority") -> Tls:
    return Tls(certificate=folder / f"{name}.crt", key=folder / f"{name}.key", authority=folder / f"{authority}.crt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl (apt-get install openssl)")
    found = tmp_path_factory.mktemp("tls")
    made(found, "authority")
    made(found, "node", "authority")
    made(found, "sender", "authority")
    made(found, "stranger")
    return found


def echo(node: Running, context: ssl.SSLContext | None) -> bool:
    entity = AE(ae_title="SENDER")
    entity.acse_timeout = entity.network_timeout = 3
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate(
        "127.0.0.1", node.port, ae_title="ISTHMUS", tls_args=None if context is None else (context, "node")
    )
    if not association.is_established:
        return False
    status = association.send_c_echo().get("Status")
    association.release()
    return status == 0


def test_only_those_with_a_certificate_of_the_authority_get_through(folder: Path, tmp_path: Path):
    said = files(folder, "node").model_dump()
    with running(settings_of(tmp_path, tls=said)) as node:
        stalled = socket.create_connection(("127.0.0.1", node.port))  # keeps nobody waiting
        assert echo(node, tls_context(files(folder, "sender"), "client"))
        assert not echo(node, None)
        stranger = tls_context(files(folder, "sender"), "client")
        stranger.load_cert_chain(folder / "stranger.crt", folder / "stranger.key")
        assert not echo(node, stranger)
        assert not echo(node, tls_context(files(folder, "sender", "stranger"), "client"))
        # The node's own side, as a caller: to itself, under the sender's title.
        address = DicomAddress(kind="dicom", ae_title="ISTHMUS", address="127.0.0.1", port=node.port, tls=True)
        (path,) = written(tmp_path / "sent", [picture(generate_uid())])
        DicomCaller(settings_of(tmp_path, ae_title="SENDER", tls=said)).store(address, path)
        with pytest.raises(CallFailed, match="association"):
            DicomCaller(settings_of(tmp_path, ae_title="SENDER")).store(address.model_copy(update={"tls": False}), path)
        stalled.close()
    gc.collect()


@pytest.mark.parametrize(("said", "told"), [(("node", "absent"), "no such file"), (("sender", "authority"), "own key")])
def test_files_that_cannot_be_used_are_named(folder: Path, said: tuple[str, str], told: str):
    one = files(folder, "node", said[1]).model_copy(update={"key": folder / f"{said[0]}.key"})
    with pytest.raises(InputError, match=told):
        tls_context(one, "server")
