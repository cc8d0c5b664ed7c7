"""What visitors leave on the disk."""

import dataclasses
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from plain_http import FORM, META, ask, form, png, request, upload

from lseg.demo.room import Room
from lseg.demo.server import running_server
from lseg.demo.service import Service
from lseg.demo.uploads import offered_file


def fill(folder, name, size, age):
    path = folder / name / "a.png"
    path.parent.mkdir()
    path.write_bytes(bytes(size))
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_the_oldest_files_go_first_and_what_was_there_stays(tmp_path):
    own = fill(tmp_path, "own", 1000, 9999)
    room = Room(tmp_path, 250, 100)
    files = [fill(tmp_path, str(age), 100, age) for age in (10, 20, 30, 99, 101)]
    room.make()
    assert [file.exists() for file in files] == [True, True, False, False, False]
    assert own.exists()
    room.make()
    assert files[1].exists()


def test_a_file_that_goes_meanwhile_is_no_error(tmp_path):
    room = Room(tmp_path, 0, 100)
    (tmp_path / "link").symlink_to("nowhere")
    room.make()
    assert list(tmp_path.iterdir()) == []


def left(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def test_uploads_never_fill_the_disk(model, service):
    small = Service(model, dataclasses.replace(service.limits, disk_bytes=300_000))
    with running_server(small, "about") as url:
        folder = Path(upload(url, png())).parents[1]
        before = left(folder)
        for number in range(8):
            odd = form(bytes([number]) * 100_000).replace(b'"files"', b'"else"')
            assert request(f"{url}gradio_api/upload", odd, **FORM)[0] == 200
        kept = left(folder) - before
        assert 2 <= len(kept) <= 4  # Gradio itself would forget to delete them


def test_an_upload_that_is_broken_off_leaves_nothing(url):
    path = Path(upload(url, png()))
    before = left(path.parents[1])
    data = form(bytes(200_000))
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=90) as line:
        head = [
            "POST /gradio_api/upload HTTP/1.1", f"Host: {place.netloc}",
            f"Content-Type: {FORM['Content-Type']}", f"Content-Length: {len(data)}", "", "",
        ]  # fmt: skip
        line.sendall("\r\n".join(head).encode() + data[:100_000])
        wait(lambda: left(path.parents[1]) - before)
    wait(lambda: not left(path.parents[1]) - before)


def test_a_folder_in_place_of_a_picture_stops_no_cleaning(service, capfd):
    """Gradio deletes what it was given, and gives up at the first that is no file."""
    with running_server(service, "about") as url:
        path = upload(url, png())
        folder = {"path": str(Path(path).parents[1]), "meta": META}
        assert "upload it again" in ask(url, "segment", folder, "a, b", True, 0.5, "")
    assert "IsADirectoryError" not in capfd.readouterr().err


def test_a_file_that_is_offered_again_is_not_written_over(tmp_path, monkeypatch):
    """Somebody may be reading it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = offered_file(b"a map", "map.png")
    with Path(path).open("rb") as reader:
        assert offered_file(b"a map", "map.png") == path
        assert os.fstat(reader.fileno()).st_ino != Path(path).stat().st_ino
        assert reader.read() == b"a map"
    other = offered_file(b"another", "map.png")
    assert other != path
    assert left(tmp_path) == {Path(path), Path(other)}


def wait(happened):
    late = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < late
        time.sleep(0.02)
