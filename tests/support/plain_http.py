"""A running demo over plain HTTP, without anything that means well."""

import io
import json
import urllib.error
import urllib.request

from PIL import Image

META = {"_type": "gradio.FileData"}
FORM = {"Content-Type": "multipart/form-data; boundary=X"}
JSON = {"Content-Type": "application/json"}


def request(url, data=None, **headers):
    """Status and body of an answer; `_` in the name of a header is `-`."""
    asked = urllib.request.Request(url, data, {k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=90) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ask(url, endpoint, *values):
    """What an endpoint of the API says, as text."""
    body = json.dumps({"data": values}).encode()
    status, answer = request(f"{url}gradio_api/call/{endpoint}", body, **JSON)
    if status != 200:
        return answer.decode()
    event = json.loads(answer)["event_id"]
    return request(f"{url}gradio_api/call/{endpoint}/{event}")[1].decode()


def form(data, name="a.png"):
    """The body of an upload."""
    head = f'--X\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n--X--\r\n"


def upload(url, data, name="a.png"):
    """Where an uploaded file lies."""
    status, body = request(f"{url}gradio_api/upload", form(data, name), **FORM)
    assert status == 200, body
    return json.loads(body)[0]


def png(colour=(200, 30, 30), side=64):
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()
