import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.addresses import SCHEMES, is_address, redacted, scheme_of, with_quoted_login

SECRET = "hunter2"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whatever_begins_with_a_scheme_is_an_address(scheme):
    assert is_address(f"{scheme}://host/path")
    assert is_address(f"{scheme.upper()}://host")
    assert scheme_of(f"{scheme.upper()}://host") == scheme


@pytest.mark.parametrize(
    "text", ["clip.mp4", "/a/b.mp4", r"C:\clips\a.mp4", "C://a.mp4", "a:b", "0", "", "://x"]
)
def test_paths_and_drive_letters_are_no_addresses(text):
    assert not is_address(text)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.7:554/ch1", "rtsp://***@10.0.0.7:554/ch1"),
        ("rtsp://hunter2@camera/ch1", "rtsp://***@camera/ch1"),
        ("http://user:hunter2@[::1]:8080/x", "http://***@[::1]:8080/x"),
        ("http://user:p%40hunter2@host/x", "http://***@host/x"),
        ("https://host/live?token=hunter2&quality=hd", "https://host/live?token=***&quality=hd"),
        ("https://host/live?a=1&X-Amz-Signature=hunter2", "https://host/live?a=1&X-Amz-Signature=***"),
        ("https://host/live?sig=ab/hunter2=&x=1", "https://host/live?sig=***&x=1"),
        ("https://host/live?p%61ssword=hunter2", "https://host/live?p%61ssword=***"),
        ("https://host/live?p%2561ss=hunter2", "https://host/live?p%2561ss=***"),
        ("https://host/live#access_token=hunter2", "https://host/live#access_token=***"),
        ("https://host/live?next=http%3A%2F%2Fh%2F%3Fkey%3Dhunter2", "https://host/live?next=***"),
        ("rtsp://ip:554/user=admin_password=hunter2_channel=1", "rtsp://ip:554/user=admin_password=***"),
        (
            "http://host/cgi?user=a&pwd=hunter2;loginpas=hunter2",
            "http://host/cgi?user=a&pwd=***;loginpas=***",
        ),
    ],
)
def test_passwords_and_keys_are_not_shown_but_the_rest_is(address, shown):
    assert redacted(address) == shown


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://10.0.0.7:554/Streaming/Channels/101",
        "http://[fe80::1%25eth0]:80/x?quality=hd",
        "udp://@:5000",
        "udp://239.0.0.1:1234?fifo_size=5000",
        "http://images.example.com/photo@2x.mjpg",
        "clip.mp4",
        "folder/a@b.mp4",
        r"C:\videos\key=1.mp4",
        "100%25.mp4",
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(address):
    assert redacted(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "rtsp:/admin:hunter2@host/x",
        "rtsp:admin:hunter2@host/x",
        "rtsp//admin:hunter2@host/x",
        r"rtsp:\\admin:hunter2@host\x",
        "rtsp%3A//admin:hunter2@host/x",
        "rtsp://admin:hunter2@",
        "rtsp://admin:hunter2@[::1/x",
        "rtsp://admin:hunter2@host:99999999/x",
        "rtsp://admin:hun@ter@hunter2@host/x",
        "xyz://admin:hunter2@host/x",
        "rtsp://admin:hunter2 @host/x",
        "rtsp://admin:\nhunter2@host/x",
    ],
)
def test_mistyped_addresses_show_no_password_either(address):
    assert SECRET not in redacted(address)
    assert "hun" not in redacted(address)


@given(
    st.sampled_from(SCHEMES),
    st.text(),
    st.text(),
    st.sampled_from(["host", "10.0.0.1", "[::1]:554", "a.b.c"]),
)
def test_a_password_is_not_shown_whatever_signs_it_and_its_neighbours_hold(scheme, before, after, host):
    address = f"{scheme}://admin:{before}{SECRET}{after}@{host}/x"

    assert SECRET not in redacted(address)
    assert redacted(address).endswith(f"@{host}/x")


@given(st.text())
def test_any_text_at_all_can_be_redacted_and_once_is_enough(text):
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("rtsp://admin:a/b@cam.lan/ch1", "rtsp://admin:a%2Fb@cam.lan/ch1"),
        ("rtsp://admin:a#b?c@10.0.0.7:554/ch1?x=1", "rtsp://admin:a%23b%3Fc@10.0.0.7:554/ch1?x=1"),
        ("http://admin:p@ss@cam/live", "http://admin:p%40ss@cam/live"),
        ("http://admin:a%2Fb/c%@cam/live", "http://admin:a%2Fb%2Fc%25@cam/live"),
        ("rtsp://admin:plain@cam/ch1", "rtsp://admin:plain@cam/ch1"),
        ("http://localhost:8554/live@1", "http://localhost:8554/live@1"),
        ("http://cam.lan/a:b/live@2x.ts", "http://cam.lan/a:b/live@2x.ts"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("udp://239.0.0.1:1234", "udp://239.0.0.1:1234"),
    ],
)
def test_a_login_is_quoted_where_its_signs_would_end_the_host(typed, taken):
    assert with_quoted_login(typed) == taken
