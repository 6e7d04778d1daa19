"""Every setting of the server, in one frozen object.

A keyword wins over the environment (QWEN3_TTS_<KEY>), that over the TOML file, that over the
default. Names that do not exist are refused from all three before anything is loaded.
"""

import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server.settings_sources import Environment, file_source, one_line, unknown
from qwen3_tts.server.settings_values import (
    Count,
    CountOrOff,
    Device,
    Hosts,
    JwksUrl,
    JwtSecret,
    Keys,
    Location,
    Model,
    Name,
    NameMap,
    Names,
    Origins,
    Port,
    Seconds,
    SecondsOrOff,
    Size,
    Word,
    is_loopback,
    read_keys,
)

HS_ALGORITHMS = ("HS256", "HS384", "HS512")  # with a shared secret
KEY_ALGORITHMS = ("RS256", "ES256", "EdDSA")  # with a public key
SHORTEST_EXPOSED_KEY = 16  # characters; shorter ones can be tried out over a network


def default_voices_dir() -> Path:
    """Where voices live by the XDG rules, which ignore a relative XDG_DATA_HOME."""
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    if given.is_absolute():
        return given / "qwen3-tts" / "voices"
    try:
        return Path.home() / ".local" / "share" / "qwen3-tts" / "voices"
    except RuntimeError:  # a container's user that no file knows
        raise InvalidRequest("this user has no home folder; set voices_dir") from None


class ServerSettings(BaseSettings):
    """Made by `load_settings`, which tells mistakes in one line."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        case_sensitive=True,
        hide_input_in_errors=True,  # an input may be a secret
        protected_namespaces=(),
    )

    config_file: Location | None = None

    # the model
    engine: Literal["qwen3", "fake"] = "qwen3"
    model: Model = "nano"
    revision: Word | None = None
    offline: bool = False
    device: Device = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    quantize: Literal["auto", "none", "int8", "int4"] = "auto"
    load: Literal["eager", "lazy"] = "eager"
    load_timeout_s: Seconds = 120
    idle_unload_s: SecondsOrOff = 0
    max_rows: Count = 8  # speaking at once in the engine
    max_queue: CountOrOff = 64  # waiting in the engine

    # voices
    voices_dir: Location = Field(default_factory=default_voices_dir)
    default_voice: Name | None = None  # None: "makima" where installed, else the first preset
    voice_fallback: bool = False  # the default voice in place of an unknown one
    openai_voices: NameMap = Field(default_factory=dict)  # "alloy" -> a voice of ours
    voice_cache_entries: Count = 64
    voice_cache_mb: Count = 256
    max_voices: Count = 1000
    max_voices_per_owner: Count = 100
    max_reference_s: Seconds = 30
    fetch_urls: bool = False
    fetch_hosts: Hosts = ()  # empty: any public host
    fetch_http: bool = False

    # who may come in
    host: Word = "127.0.0.1"
    port: Port = 8000
    insecure: bool = False  # open to the network without keys
    api_keys: Keys = ()
    api_key_file: Location | None = None
    jwt_secret: JwtSecret | None = None
    jwt_public_key_file: Location | None = None
    jwt_jwks_url: JwksUrl | None = None
    jwt_algorithms: Names = ()  # empty: all that suit the kind of key
    jwt_audience: Word | None = None
    jwt_issuer: Word | None = None
    public_metadata: bool = True  # lists of models and voices need no key
    cors_origins: Origins = ()
    cors_credentials: bool = False
    allowed_origins: Origins = ()  # of pages that may open WebSockets, besides our own

    # how much at once
    max_text_chars: Count = 4096
    max_streams: Count = 64  # speaking or waiting
    max_streams_per_principal: Count = 16
    requests_per_minute: CountOrOff = 0
    burst: CountOrOff = 0  # requests at once before the rate counts; 0: a minute's worth
    max_sessions: Count = 256  # open WebSockets
    max_sessions_per_principal: Count = 32
    max_message_bytes: Size = 65_536
    max_body_bytes: Size = 1_048_576
    max_upload_bytes: Size = 10_485_760

    # how long
    first_audio_timeout_s: Seconds = 30
    request_timeout_s: Seconds = 600
    slow_reader_s: Seconds = 10
    idle_timeout_s: Seconds = 300
    auth_timeout_s: Seconds = 10
    start_text_timeout_s: Seconds = 30
    drain_grace_s: SecondsOrOff = 2
    drain_timeout_s: Seconds = 60

    # what is told
    log_format: Literal["json", "text"] = "json"
    log_text: bool = False  # log what users let us say
    provenance: bool = True  # mark sound as made by a machine
    docs: bool = True

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        environment = Environment(settings_cls)
        path = {**environment(), **init_settings()}.get("config_file")
        if path is None:
            return init_settings, environment
        return init_settings, environment, file_source(settings_cls, path)

    @property
    def uses_jwt(self) -> bool:
        return bool(self.jwt_secret or self.jwt_public_key_file or self.jwt_jwks_url)

    @property
    def needs_key(self) -> bool:
        """Whether a caller must show who it is."""
        return bool(self.api_keys or self.api_key_file or self.uses_jwt)

    def all_keys(self) -> tuple[SecretStr, ...]:
        """The API keys given here and those of the key file, which is read now."""
        if self.api_key_file is None:
            return self.api_keys
        try:
            return (*self.api_keys, *read_keys(self.api_key_file))
        except ValueError as error:
            raise InvalidRequest(f"setting `api_key_file`: the file {error}") from None

    @model_validator(mode="after")
    def _keys_are_readable(self) -> Self:
        if self.api_key_file is not None:
            try:
                read_keys(self.api_key_file)
            except ValueError as error:
                raise ValueError(f"setting `api_key_file`: the file {error}") from error
        return self

    @model_validator(mode="after")
    def _jwt_fits_together(self) -> Self:
        kinds = (self.jwt_secret, self.jwt_public_key_file, self.jwt_jwks_url)
        if sum(kind is not None for kind in kinds) > 1:
            raise ValueError("set one of jwt_secret, jwt_public_key_file and jwt_jwks_url only")
        for key in ("jwt_algorithms", "jwt_audience", "jwt_issuer"):
            if getattr(self, key) and not self.uses_jwt:
                raise ValueError(
                    f"setting `{key}` needs jwt_secret, jwt_public_key_file or jwt_jwks_url"
                )
        allowed = HS_ALGORITHMS if self.jwt_secret else KEY_ALGORITHMS
        if not set(self.jwt_algorithms) <= set(allowed):
            what = "jwt_secret" if self.jwt_secret else "a public key"
            raise ValueError(
                f"setting `jwt_algorithms` is {self.jwt_algorithms}: "
                f"with {what} allowed are {', '.join(allowed)}"
            )
        return self

    @model_validator(mode="after")
    def _origins_are_safe(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError('setting `cors_origins` is "*", which cors_credentials does not allow')
        if "*" in self.allowed_origins and not self.needs_key:
            raise ValueError(
                'setting `allowed_origins` is "*": any page could use this server; '
                "set api_keys, or name the origins"
            )
        return self


def load_settings(**given: Any) -> ServerSettings:
    """Settings from keywords, environment, file and defaults. InvalidRequest says what is wrong."""
    fields = ServerSettings.model_fields
    for key in given:
        if key not in fields:
            raise unknown(key, fields, "given")
    try:
        return ServerSettings(**given)
    except ValidationError as error:  # it holds the values given, so it is not chained
        raise InvalidRequest(one_line(error, given, fields)) from None


def check_exposure(settings: ServerSettings) -> None:
    """Refuse to serve a network that anyone, or anyone patient, could come in from."""
    if is_loopback(settings.host) or settings.insecure:
        return
    if not settings.needs_key:
        raise InvalidRequest(
            f"host {settings.host!r} can be reached from the network and no key is set; "
            "set api_keys or a jwt_ setting, serve 127.0.0.1, or say insecure to allow everyone"
        )
    if any(len(key.get_secret_value()) < SHORTEST_EXPOSED_KEY for key in settings.all_keys()):
        raise InvalidRequest(
            f"host {settings.host!r} can be reached from the network and a key of api_keys is "
            f"shorter than {SHORTEST_EXPOSED_KEY} characters; take a longer one"
        )


def describe_settings(settings: ServerSettings) -> dict[str, Any]:
    """All values in JSON's types, to show and to log; of secrets only whether they are set."""
    told = settings.model_dump(mode="json", exclude={"api_keys", "jwt_secret"})
    return told | {
        "api_keys": f"{len(settings.api_keys)} set",
        "jwt_secret": "set" if settings.jwt_secret else None,
    }
