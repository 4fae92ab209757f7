"""TLS and SASL settings reach Faust."""

import ssl

import pytest

from feature_store.settings import Settings
from streams.apps.credentials import broker_credentials


def test_plaintext_needs_no_credentials():
    assert broker_credentials(Settings()) is None


def test_tls_alone_checks_the_broker():
    credentials = broker_credentials(Settings(kafka_security_protocol="SSL"))
    assert credentials.context.verify_mode is ssl.CERT_REQUIRED
    assert credentials.context.check_hostname


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_sasl_passes_mechanism_user_and_password_on(protocol):
    credentials = broker_credentials(
        Settings(
            kafka_security_protocol=protocol,
            kafka_sasl_mechanism="SCRAM-SHA-512",
            kafka_sasl_username="worker",
            kafka_sasl_password="secret",
        )
    )
    assert (credentials.username, credentials.password) == ("worker", "secret")
    assert credentials.mechanism.value == "SCRAM-SHA-512"
    assert credentials.protocol.value == protocol
    assert (credentials.ssl_context is not None) == (protocol == "SASL_SSL")
