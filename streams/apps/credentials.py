"""TLS and SASL settings as Faust takes them."""

import ssl

import faust
from faust.types.auth import CredentialsT

from feature_store.settings import Settings


def broker_credentials(settings: Settings) -> CredentialsT | None:
    """Faust's credentials for `kafka_security_protocol`; None for PLAINTEXT."""
    protocol = settings.kafka_security_protocol
    context = _ssl_context(settings) if protocol.endswith("SSL") else None
    if protocol.startswith("SASL"):
        password = settings.kafka_sasl_password
        return faust.SASLCredentials(
            username=settings.kafka_sasl_username,
            password=password.get_secret_value() if password else None,
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ssl_ca)
    if settings.kafka_ssl_certificate:
        context.load_cert_chain(settings.kafka_ssl_certificate, settings.kafka_ssl_key)
    return context
