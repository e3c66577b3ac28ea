"""S3 itself as the store of a run: AWS's, or an emulator's."""

from __future__ import annotations

from pathlib import Path

from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.local.store import StoredObject, StoreError


class BucketStore:
    """See `store.Store`."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        found: list[StoredObject] = []
        token: str | None = None
        while True:
            try:
                page = self.clients.call(
                    "s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, ContinuationToken=token
                )
            except AwsError as error:
                raise StoreError(error.message) from None
            found += [StoredObject(e["Key"], e["Size"], e["ETag"]) for e in page.get("Contents", ())]
            token = page.get("NextContinuationToken")
            if not token:
                return found

    def download(self, bucket: str, key: str, path: Path) -> None:
        try:
            body = self.clients.call("s3", "get_object", Bucket=bucket, Key=key)["Body"]
            with path.open("wb") as file:
                for chunk in body.iter_chunks(1 << 20):
                    file.write(chunk)
        except AwsError as error:
            raise StoreError(error.message) from None
        except OSError as error:
            raise StoreError(f"cannot copy s3://{bucket}/{key}: {error}") from None

    def upload(self, path: Path, bucket: str, key: str) -> None:
        try:
            with path.open("rb") as file:
                self.clients.upload(file, bucket, key)
        except AwsError as error:
            raise StoreError(error.message) from None

    def digest(self, bucket: str, found: StoredObject) -> str:
        """Its entity tag: of an object that was uploaded in parts it depends on the parts, so that another upload of
        the same content may look like another content."""
        return f"{found.version}-{found.size}"
