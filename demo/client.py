"""Asks a running demo (`lseg demo`) through its API, with gradio_client alone.

    python demo/client.py photo.jpg --labels "sky, road|street, tree" --out answers

writes label_map.png, overlay.png, answer.json and embeddings.npy.
"""

import argparse
import json
import shutil
from pathlib import Path

from gradio_client import Client, handle_file


def main() -> None:
    """Segments and embeds one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--labels", required=True, help="between commas; a|b for synonyms")
    parser.add_argument("--url", default="http://127.0.0.1:7860/", help="of the demo")
    parser.add_argument("--out", type=Path, default=Path("answers"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    client = Client(options.url, verbose=False, httpx_kwargs={"timeout": 120})
    picture = handle_file(options.picture)  # uploaded; the server fetches no URLs

    label_map, overlay, answer = client.predict(
        picture=picture, labels=options.labels, other=True, opacity=0.55, api_name="/segment"
    )
    shutil.copy(label_map, options.out / "label_map.png")  # indices into answer["labels"]
    shutil.copy(overlay, options.out / "overlay.png")
    (options.out / "answer.json").write_text(json.dumps(answer, indent=2, ensure_ascii=False))
    for entry in answer["labels"]:
        print(f"{entry['share']:6.1%}  {entry['label']}")

    # Height and width 0 stand for the network's own output size.
    embeddings = client.predict(
        picture=picture, height=0, width=0, dtype="float16", normalize=True, api_name="/embed"
    )
    shutil.copy(embeddings, options.out / "embeddings.npy")  # (C, height, width)


if __name__ == "__main__":
    main()
