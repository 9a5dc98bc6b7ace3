"""The pages that train or prove, every block in order: what a reader would see in minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import GUIDES, ROOT, blocks
from tests.docs.session import Session

SLOW = [page for page in GUIDES if any(block.slow for block in blocks(page))]


# what Lightning and Transformers say of themselves, on the page where they train
@pytest.mark.filterwarnings(
    "ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning",
    "ignore:The 'train_dataloader' does not have many workers",
)
@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=lambda page: str(page.relative_to(ROOT)))
def test_all_blocks_run(page: Path, tmp_path: Path) -> None:
    session = Session(tmp_path)
    for block in blocks(page):
        if block.run.startswith("run"):
            session.run(block)
