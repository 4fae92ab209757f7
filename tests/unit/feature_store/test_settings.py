"""No setting that is wrong makes an error that shows another one's value."""

import pytest
from pydantic import SecretStr, ValidationError

from feature_store.settings import Settings


class TwoNeeded(Settings):
    salt: SecretStr
    tokens: int


def test_an_error_shows_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDYLINE_SALT", "s3cret")
    monkeypatch.setenv("EDDYLINE_INSTANCE", "s3cret")
    with pytest.raises(ValidationError) as raised:
        TwoNeeded()  # type: ignore[call-arg]
    assert "tokens" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_settings_are_printed_without_the_credentials_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDYLINE_MLFLOW_URI", "https://someone:s3cret@mlflow")
    monkeypatch.setenv("EDDYLINE_REDIS_URL", "redis://:s3cret@redis:6379/0")
    settings = Settings()
    assert "s3cret" not in repr(settings)
    assert settings.mlflow == "https://someone:s3cret@mlflow"


@pytest.mark.parametrize("character", ["/", "#", "?"])
def test_a_password_that_looks_like_a_port_is_not_shown(character: str) -> None:
    with pytest.raises(ValidationError, match="percent-encode") as raised:
        Settings(redis_url=SecretStr(f"redis://someone:s3{character}cret@redis:6379/0"))
    assert "s3" not in str(raised.value)
