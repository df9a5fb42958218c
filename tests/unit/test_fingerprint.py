from app.kernel.fingerprint import fingerprint, keyed_digest


def test_the_same_parts_under_the_same_secret_give_the_same_fingerprint() -> None:
    assert fingerprint(b"secret", "POST", b"{}") == fingerprint(b"secret", b"POST", "{}")


def test_another_secret_gives_another_fingerprint() -> None:
    assert fingerprint(b"secret", "POST") != fingerprint(b"other", "POST")


def test_parts_that_only_read_alike_together_give_different_fingerprints() -> None:
    alike = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("c", "ab"), ()]
    assert len({fingerprint(b"secret", *parts) for parts in alike}) == len(alike)


def test_a_fingerprint_is_the_beginning_of_the_keyed_digest() -> None:
    digest = keyed_digest(b"secret", "a")
    assert len(digest) == 32
    assert fingerprint(b"secret", "a") == digest[:16].hex()
