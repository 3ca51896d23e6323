"""Addresses and settings: what is taken, what is refused, and that no secret is shown."""

import base64
import logging

import pytest

from fapilog import ConfigurationError
from fapilog_exporter_elasticsearch import ElasticsearchExporter, ElasticsearchSettings

KEY = "not-a-real-key-1234"
PREFIX = "FAPILOG_ELASTICSEARCH_"


def test_variables_are_read_and_arguments_win():
    environ = {
        f"{PREFIX}URLS": "https://a:9200, https://b:9200/",
        f"{PREFIX}API_KEY": KEY,
        f"{PREFIX}IDS": "false",
        f"{PREFIX}SHAPE": "ecs",
        f"{PREFIX}REQUIRE_DATA_STREAM": "none",
        f"{PREFIX}DATASET": " ",
    }
    found = ElasticsearchSettings.load(environ, shape="flat")
    assert found.nodes == ("https://a:9200", "https://b:9200")
    assert (found.shape, found.ids, found.require_data_stream, found.dataset) == (
        "flat",
        False,
        None,
        "generic",
    )
    assert found.authorization() == f"ApiKey {KEY}"


def test_a_variable_that_no_setting_has_is_named(caplog):
    with caplog.at_level(logging.WARNING):
        ElasticsearchSettings.load({f"{PREFIX}URL": "https://a"})
    assert f"{PREFIX}URL" in caplog.text


def test_a_cloud_id_stands_for_a_url():
    cloud = "logs:" + base64.b64encode(b"eu-west-1.aws.example:443$0123abc$kibana").decode()
    assert ElasticsearchSettings(cloud_id=cloud).nodes == ("https://0123abc.eu-west-1.aws.example:443",)


def test_credentials_become_one_header():
    assert ElasticsearchSettings(username="u", password="p").authorization() == "Basic dTpw"
    assert ElasticsearchSettings(api_key="id:key").authorization() == "ApiKey aWQ6a2V5"
    assert ElasticsearchSettings().authorization() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"urls": ["ftp://a"]}, "each must be a URL"),
        ({"urls": [f"https://u:{KEY}@a"]}, "they take no query and no credentials"),
        ({"urls": []}, "at least 1 item"),
        ({"cloud_id": "nothing"}, "it must be the cloud id of a deployment"),
        ({"cloud_id": "x:" + base64.b64encode(b"a$b").decode(), "urls": ["https://a"]}, "exclude each other"),
        ({"api_key": KEY, "username": "u", "password": "p"}, "api_key and username exclude each other"),
        ({"api_key": f"ApiKey {KEY}"}, "without the word ApiKey before it"),
        ({"username": "u"}, "username and password belong together"),
        ({"client_key": "k.pem"}, "client_certificate and client_key belong together"),
        ({"urls": ["http://logs.example:9200"]}, "over plain HTTP: use https, or set allow_http"),
        ({"max_request_bytes": 0}, "greater than or equal to 1024"),
        ({"shape": "hec"}, "input should be 'otel', 'ecs'"),
        ({"token": KEY}, "token is no setting of elasticsearch"),
    ],
)
def test_what_is_wrong_is_said_and_no_secret_is_shown(given, said):
    with pytest.raises(ConfigurationError) as error:
        ElasticsearchExporter(**given)
    assert said in str(error.value)
    assert KEY not in str(error.value)


def test_no_secret_is_in_what_objects_show():
    exporter = ElasticsearchExporter(username="someone", password=KEY)
    assert KEY not in repr(exporter) + repr(exporter.settings) + str(exporter.settings)


def test_a_certificate_that_cannot_be_read_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match="certificate"):
        ElasticsearchExporter(certificate=tmp_path / "missing.pem")
