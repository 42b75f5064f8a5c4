import pytest

from flatfile_sync.config.settings import Settings, example_toml, load_settings
from flatfile_sync.domain.failures import ConfigurationError


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "flatfile-sync.toml"
        path.write_text(text)
        return path

    return write


def test_the_example_says_every_default(file, tmp_path):
    loaded = load_settings(file(example_toml()))
    defaults = Settings()
    assert loaded.data_folder == tmp_path / defaults.data_folder
    assert loaded.model_copy(
        update={"data_folder": defaults.data_folder, "projects_folder": defaults.projects_folder}
    ) == (defaults)


def test_the_environment_comes_before_the_file(file, monkeypatch):
    monkeypatch.setenv("FLATFILE_SYNC_SFTP__PORT", "2022")
    assert load_settings(file(example_toml(sftp={"port": 2001}))).sftp.port == 2022


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sftp]\nprot = 1\n", "sftp.prot: unknown key. Did you mean `port`?"),
        ("[sftp]\nport = 70000\n", "sftp.port: found 70000, expected less than or equal to 65535."),
        ("[log]\nlevel = 'loud'\n", "log.level: found 'loud', expected 'debug', 'info', 'warning' or 'error'."),
        ("data_fodler = 'x'\n", "data_fodler: unknown key. Did you mean `data_folder`?"),
    ],
)
def test_a_wrong_setting_names_file_key_and_remedy(file, text, expected):
    path = file(text)
    with pytest.raises(ConfigurationError) as found:
        load_settings(path)
    assert f"{path}: {expected}" in str(found.value)


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigurationError, match="flatfile-sync init"):
        load_settings(tmp_path / "none.toml")
