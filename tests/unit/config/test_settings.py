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
        ("[apple]\nteam_identifier = 'x'\n", "apple.team_identifier: found 'x', expected text that matches"),
        ("[apple]\npush_type = 'alert'\n", "apple.push_type: found 'alert', expected 'background' or 'none'."),
        (
            "[apple]\nweb_service_url = 'http://a.example'\n",
            "apple.web_service_url: found 'http://a.example', ",
        ),
        ("[apple]\ntoken_keys = ['secret']\n", "apple.token_keys[0]: found 'secret', expected text that matches"),
        ("[apple]\ntoken_keys = ['a=X', 'a=Y']\n", "apple.token_keys: the id 'a' stands 2 times;"),
        ("[apple]\ncertificate_file = 'x'\n", "apple.token_keys: is missing, which a certificate_file needs."),
        ("[google]\nissuer_id = 'abc'\n", "google.issuer_id: found 'abc', expected text that matches"),
        ("[google]\napi_url = 'http://a.example'\n", "google.api_url: found 'http://a.example', expected text"),
        ("[google]\nservice_account_env = 'A'\n", "google.issuer_id: is missing, which a service account needs."),
        ("[google]\nissuer_id = '1'\n", "google.service_account_file: is missing, which an issuer_id needs."),
        (
            "[google]\nservice_account_env = 'A'\nservice_account_file = 'b'\nissuer_id = '1'\n",
            "google.service_account_env: stands beside service_account_file;",
        ),
        ("[google]\norigins = ['example.com']\n", "google.origins[0]: found 'example.com', expected text that matches"),
        ("[google]\nissuer = '1'\n", "google.issuer: unknown key. Did you mean `issuer_id`?"),
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


def test_files_of_apple_are_below_the_folder_of_the_settings(file, tmp_path):
    found = load_settings(
        file(
            "[apple]\ncertificate_file = 'keys/pass.p12'\nwwdr_file = '/etc/wwdr.cer'\nteam_identifier = 'ABCDE12345'\n"
            "pass_type_identifier = 'pass.com.example'\nweb_service_url = 'https://passes.example.com'\n"
            "token_keys = ['2026=KEY_2026', '2027=KEY_2027']\n"
        )
    ).apple
    assert (found.certificate_file, found.key_file) == (str(tmp_path / "keys/pass.p12"), "")
    assert found.wwdr_file == "/etc/wwdr.cer"
    assert list(found.variables().items()) == [("2026", "KEY_2026"), ("2027", "KEY_2027")]
