"""What S3's refusals mean, and what to do about them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

_CREDENTIAL_CODES = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"}


@contextmanager
def explained(uri: str) -> Generator[None]:
    """Turn what obstore raises on the object at `uri` into errors that say what to do.

    A missing object becomes `FileNotFoundError`; a missing bucket, refused credentials or a
    wrong region, `ConfigError`; a name that can't be a key, `ValueError`; anything else that
    fails, `OSError`. obstore's own texts have
    the whole request in them, and are cut to their first line.
    """
    try:
        yield
    except AlreadyExistsError:
        raise
    except FileNotFoundError as error:
        raise _meaning(uri, str(error)) or FileNotFoundError(uri) from None
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise _meaning(uri, str(error)) or _refused(uri, "access denied") from None
    except ValueError as error:
        raise ValueError(f"{uri} can't be a key: {error}") from None
    except BaseError as error:
        text = str(error)
        first_line = text.partition("\n")[0]
        raise _meaning(uri, text) or OSError(f"{uri}: {first_line}") from None


def _meaning(uri: str, text: str) -> ConfigError | None:
    code = found[1] if (found := re.search(r"<Code>(\w+)</Code>", text)) else ""
    if code == "NoSuchBucket":
        bucket = uri.removeprefix("s3://").partition("/")[0]
        return ConfigError(
            f"{uri}: there is no bucket {bucket!r}; create it, or correct the target root "
            "(and AWS_ENDPOINT_URL, if the bucket is not with AWS)"
        )
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed") or "redirect" in text[:1000]:
        return ConfigError(f"{uri}: the bucket is in another region; set AWS_REGION to it")
    if code in _CREDENTIAL_CODES or "Signature" in code:
        return _refused(uri, code)
    return None


def _refused(uri: str, why: str) -> ConfigError:
    return ConfigError(
        f"{uri}: S3 refuses the request ({why}); check AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), and that they may read, write and list the bucket"
    )
