"""`OTEL_CONFIG_FILE` belongs to `opentelemetry-instrument`: `configure_otel()` says that it leaves it."""

from fapilog import Settings


def test_a_configuration_file_that_nobody_reads_is_named_once(configure, monkeypatch, tmp_path, capsys):
    path = tmp_path / "otel.yaml"
    path.write_text(
        'file_format: "1.0"\nlogger_provider: {processors: [{simple: {exporter: {console: }}}]}\n'
    )
    monkeypatch.setenv("OTEL_CONFIG_FILE", str(path))
    configure().shutdown()
    configure().shutdown()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("fapilog: OTEL_CONFIG_FILE is set, but configure_otel() takes arguments and other")
    assert line.endswith(
        f"settings=Settings.load({str(path)!r}) for what the file says about logs [config-file-unread]"
    )


def test_nothing_is_said_of_a_configuration_file_whose_settings_are_passed(
    configure, monkeypatch, tmp_path, capsys
):
    path = tmp_path / "otel.yaml"
    path.write_text('file_format: "1.0"\nlogger_provider: {limits: {attribute_count_limit: 9}}\n')
    monkeypatch.setenv("OTEL_CONFIG_FILE", str(path))
    assert configure(settings=Settings.load(path)).settings.limits.attribute_count == 9
    assert capsys.readouterr().err == ""
