"""`ElasticsearchSettings`: where documents go and how, from arguments and FAPILOG_ELASTICSEARCH_* variables.

Each field is also the variable `FAPILOG_ELASTICSEARCH_<NAME>`; the table in `docs/how-to/elasticsearch.md` is
checked against this file. Threads: the configuring one.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from fapilog.exporters.settings import Millis, TlsSettings
from fapilog_exporter_elasticsearch.addresses import (
    api_key_header,
    basic_header,
    cloud_url,
    is_private,
    node_url,
)


def _one_word(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it must be the key alone: printable, without the word ApiKey before it")
    return secret


class ElasticsearchSettings(TlsSettings):
    """Settings of the exporter `elasticsearch`; frozen. Keys and passwords are never shown.

    Example:
        >>> ElasticsearchSettings(urls=["https://logs.example:9200/"], api_key="id:key").nodes
        ('https://logs.example:9200',)
        >>> variables = {"FAPILOG_ELASTICSEARCH_URLS": "https://a:9200, https://b:9200"}
        >>> ElasticsearchSettings.load(variables, shape="ecs").nodes
        ('https://a:9200', 'https://b:9200')
    """

    exporter = "elasticsearch"
    prefix = "FAPILOG_ELASTICSEARCH_"
    guide = "docs/how-to/elasticsearch.md"

    urls: tuple[Annotated[str, AfterValidator(node_url)], ...] = Field(
        ("http://localhost:9200",),
        description="Nodes of the cluster, taken in turn. Default: Elasticsearch's port here.",
        min_length=1,
    )
    cloud_id: str | None = Field(None, description="Of a deployment in Elastic Cloud, in place of `urls`.")
    api_key: Annotated[SecretStr, AfterValidator(_one_word)] | None = Field(
        None, description="As Elasticsearch shows it (`encoded`), or `id:key`. Secret."
    )
    username: str | None = Field(None, description="For basic authentication.")
    password: SecretStr | None = Field(None, description="Of `username`. Secret.")
    product: Literal["auto", "elasticsearch", "opensearch"] = Field(
        "auto", description="`auto`: found by a first request, an empty one to `_bulk`."
    )
    shape: Literal["otel", "ecs", "ss4o", "flat", "raw", "bodymap"] = Field(
        "otel", description="What a record becomes: [document shapes](../reference/document_shapes.md)."
    )
    dataset: str = Field("generic", description="Of the data stream, where attributes name none.")
    namespace: str = Field("default", description="Of the data stream, where attributes name none.")
    data_stream_type: str | None = Field(
        None, description="First part of its name. None: `logs`, in `ss4o` `ss4o_logs`."
    )
    index: str | None = Field(None, description="One index, alias or data stream for all documents.")
    pipeline: str | None = Field(None, description="Ingest pipeline that documents pass.")
    ids: bool = Field(
        True, description="An `_id` made here: what is sent again is recognised, and refused with 409."
    )
    require_data_stream: bool | None = Field(
        None,
        description="Documents whose data stream does not exist are refused. None: in `otel` and `ecs`, where"
        " the server knows the option (Elasticsearch 8.13).",
    )
    refused_credentials: Literal["wait", "reject"] = Field(
        "wait", description="After 401 or 403 records wait until the key is good again, or are dropped."
    )
    refused_credentials_pause_millis: Millis = Field(60_000, description="Pause before they are tried again.")
    compression: Literal["gzip", "none"] = Field("gzip", description="Of bodies from 1,024 bytes on.")
    max_request_bytes: Annotated[int, Field(ge=1_024)] = Field(
        5_000_000,
        description="Of a request, before compression: Elastic's advice. A larger one goes alone.",
    )
    max_in_flight: Annotated[int, Field(ge=1)] = Field(
        4, description="Batches on their way at once, as `otlp.max_in_flight`."
    )
    timeout_millis: Millis = Field(
        25_000, description="Of one request; below `delivery.timeout_millis` (30,000)."
    )
    dead_node_millis: Millis = Field(
        1_000, description="A node that does not answer is left out so long, then twice as long, and so on."
    )
    max_dead_node_millis: Millis = Field(60_000, description="The longest time that a node is left out.")
    allow_http: bool = Field(
        False, description="Plain HTTP to other machines too: anybody on the way can read and change."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        if self.api_key is not None and self.username is not None:
            raise ValueError("api_key and username exclude each other")
        if self.cloud_id is not None and "urls" in self.model_fields_set:
            raise ValueError("cloud_id and urls exclude each other")
        open_ways = [url for url in self.nodes if not is_private(url)]
        if open_ways and not self.allow_http:
            raise ValueError(
                f"records would go to {open_ways[0]} over plain HTTP: use https, or set allow_http"
            )
        return self

    @property
    def nodes(self) -> tuple[str, ...]:
        """URLs of the nodes, without credentials."""
        return self.urls if self.cloud_id is None else (cloud_url(self.cloud_id),)

    def authorization(self) -> str | None:
        """Return the header `Authorization`, if there are credentials."""
        if self.api_key is not None:
            return api_key_header(self.api_key.get_secret_value())
        if self.username is not None and self.password is not None:
            return basic_header(self.username, self.password.get_secret_value())
        return None
