"""The page as a real browser shows it: headless Chromium, on a desktop and on a phone, with no network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from test_page import EVIL, a_receipt, put
from unisinger_cli.pipeline import page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --allow-file-access-from-files --enable-logging=stderr --virtual-time-budget=20000 --dump-dom"
)
# A page around the page: it waits for the players, measures, clicks, and writes what it found into itself.
AROUND = """<!DOCTYPE html><body><iframe id="page" src="s.html" style="width:%dpx;height:900px;border:0"></iframe>
<pre id="found"></pre><script>
const until = async done => { for (let i = 0; i < 200 && !done(); i++) await new Promise(go => setTimeout(go, 50)); };
window.onload = async () => {
  const frame = document.getElementById('page'), inside = frame.contentDocument, root = inside.documentElement;
  const all = name => [...inside.querySelectorAll(name)], players = all('audio');
  await until(() => players.every(player => player.duration > 0));
  const found = {
    durations: players.map(player => player.duration),
    overflow: root.scrollWidth - root.clientWidth,
    images: all('img').map(i => [i.naturalWidth, i.naturalHeight, i.clientWidth, i.clientHeight]),
    svgs: all('svg').map(svg => svg.getBoundingClientRect().width),
    words: all('[data-stem=vocal] .words text').length,
    notes: all('[data-stem=vocal] rect.note').filter(note => note.getBoundingClientRect().width > 5).length,
    requests: frame.contentWindow.performance.getEntriesByType('resource').map(entry => entry.name.slice(0, 60)),
    scripts: all('script').length,
    title: inside.title,
  };
  const picture = inside.querySelector('[data-stem=vocal] .whole .picture'), box = picture.getBoundingClientRect();
  const click = new frame.contentWindow.MouseEvent('click', {clientX: box.left + box.width / 2, bubbles: true});
  picture.dispatchEvent(click);
  const vocal = inside.querySelector('[data-stem=vocal] audio');
  await until(() => vocal.currentTime > 0 && !vocal.seeking);
  found.sought = vocal.currentTime;
  found.cursor = picture.querySelector('.cursor').getBoundingClientRect().left - box.left - box.width / 2;
  document.getElementById('found').textContent = JSON.stringify(found);
};
</script>"""


def seen(folder: Path, width: int) -> tuple[dict[str, Any], list[str]]:
    """What the page around found, and what the browser's console said."""
    (folder / "around.html").write_text(AROUND % width, encoding="utf-8")
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={folder / 'profile'}", (folder / "around.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told and told[1], done.stderr[-2000:]
    data: dict[str, Any] = json.loads(told[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return data, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look with (apt-get install chromium)")
@pytest.mark.parametrize("width", [1280, 360])
def test_a_browser_shows_all_of_it(tmp_path: Path, width: int) -> None:
    record = a_receipt(notes=[EVIL])
    record["plan"]["lines"][0]["text"] = "unbroken" * 60
    (tmp_path / "s.html").write_text(page.of_files(put(tmp_path, record)), encoding="utf-8")
    found, console = seen(tmp_path, width)
    assert console == []
    assert [name for name in found["requests"] if not name.startswith("data:")] == []
    assert found["durations"] == [pytest.approx(2.0, abs=0.1)] * 3
    assert found["overflow"] <= 0
    assert found["images"] == [[180, 176, 180, 176]] * 3  # natural width and height, and as they are shown
    assert min(found["svgs"]) > 100
    assert (found["words"], found["notes"], found["scripts"]) == (2, 2, 1)
    assert found["sought"] == pytest.approx(1.0, abs=0.05) and abs(found["cursor"]) < 3
