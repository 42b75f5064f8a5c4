"""What tests of Apple passes start from."""

import functools

from flatfile_sync.wallets.apple.certificates import PassCertificate, Source, load_certificate
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.doubles import START


@functools.cache
def certificate() -> PassCertificate:
    keys = apple_keys()
    return load_certificate(
        Source("pass.pem", keys.leaf_pem),
        key=Source("pass.key", keys.key_pem()),
        wwdr=Source("wwdr.pem", keys.wwdr_pem),
        pass_type_identifier=PASS_TYPE_IDENTIFIER,
        team_identifier=TEAM_IDENTIFIER,
        now=START,
    )
