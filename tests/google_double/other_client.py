"""A client that is not ours: google-api-python-client with its own discovery document."""

import asyncio
import copy
import json

import google_auth_httplib2
import httplib2
from google.oauth2 import service_account
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

from tests.google_double.account import SCOPE
from tests.google_double.schema import discovery
from tests.google_double.tls import authorities


class OtherClient:
    """Google's own Python client, which blocks, on a thread; it uses the time of day."""

    def __init__(self, double, folder):
        self._file = folder / "ca.pem"
        self._file.write_bytes(authorities())
        scopes = [SCOPE]
        told = json.loads(double.account_file)
        self.credentials = service_account.Credentials.from_service_account_info(told, scopes=scopes)
        document = copy.deepcopy(discovery()) | {"rootUrl": f"{double.url}/"}
        self._connection = httplib2.Http(ca_certs=str(self._file))
        http = google_auth_httplib2.AuthorizedHttp(self.credentials, http=self._connection)
        self.service = build_from_document(document, http=http)

    async def ask(self, request):
        """Return the answer, or the status and reason of the refusal."""
        try:
            return await asyncio.to_thread(request.execute)
        except HttpError as error:
            told = json.loads(error.content)["error"]
            return told["code"], told["errors"][0]["reason"]

    async def batch(self, *requests):
        found = {}
        # For a batch it would fetch a token over a connection of its own, which does not know our authority.
        await asyncio.to_thread(self.credentials.refresh, google_auth_httplib2.Request(self._connection))
        batch = self.service.new_batch_http_request(
            callback=lambda name, answer, error: found.update({name: (answer, error)})
        )
        for number, request in enumerate(requests):
            batch.add(request, request_id=f"r{number}")
        await asyncio.to_thread(batch.execute)
        return [found[f"r{number}"] for number in range(len(requests))]

    def close(self):
        for connection in self._connection.connections.values():
            connection.close()
