"""Models on the Hugging Face Hub, or a server with its interface (`HF_ENDPOINT`)."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lseg.checkpoints.card import model_card
from lseg.checkpoints.native import save_model
from lseg.files import read_json
from lseg.hub_errors import explained
from lseg.models.network import Network


def push_to_hub(
    model: Network,
    hub_id: str,
    *,
    figures: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    licence: str | None = None,
    private: bool = False,
    revision: str | None = None,
) -> str:
    """Uploads a native folder with a model card; makes the repository if there is none.

    Args:
        model: The network.
        hub_id: `user/model`.
        figures: The `result.json` of its training, or of `lseg evaluate`: a file, or its content.
        licence: The Hub's name of a licence, such as `mit`; the card leaves it open by default.
        private: Whether a new repository is to be private.
        revision: Branch to commit to; the main one by default.

    Returns:
        Address of the commit.

    Raises:
        CheckpointError: If the Hub cannot be reached or refuses, or the figures cannot be read.
    """
    values = figures if isinstance(figures, Mapping | None) else read_json(Path(figures))
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, folder)
        card = model_card(model.config, hub_id, values, licence)
        (Path(folder) / "README.md").write_text(card, "utf-8")
        return explained(hub_id, _upload(folder, hub_id, private, revision))


def _upload(folder: str, hub_id: str, private: bool, revision: str | None) -> Callable[[], str]:
    from huggingface_hub import HfApi

    def upload() -> str:
        api = HfApi()
        api.create_repo(hub_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=hub_id,
            folder_path=folder,
            revision=revision,
            commit_message="Model, configuration and card",
        )
        return str(commit.commit_url)

    return upload
