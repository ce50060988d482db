"""`open-set dataset paste`: what it writes, seen from outside, and read again as the data set `folder`."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BIN = Path(os.environ.get("OPEN_SET_BIN_DIR", Path(__file__).parents[2] / "target/release"))
ROAD, VOID, UNKNOWN, IGNORE = 3, 11, 11, 255
IDS = [f"{drive}_{frame:05}" for drive in ("0001TP", "Seq05VD") for frame in range(10)]


def paste(root, cutouts, out, *options, dataset="camvid", threads=None):
    command = [BIN / "open-set", "dataset", "paste", "--dataset", dataset, "--root", root, "--cutouts", cutouts]
    command += ["--out", out, "--seed", "7", *options]
    env = os.environ | ({"RAYON_NUM_THREADS": str(threads)} if threads else {})
    return subprocess.run(command, capture_output=True, text=True, env=env)


@pytest.fixture
def camvid(tmp_path):
    """Twenty frames of two drives: sky, building, road; void on the left."""
    root = tmp_path / "camvid"
    labels = np.full((120, 160), 0, np.uint8)
    labels[40:] = 1
    labels[60:] = ROAD
    labels[:, :20] = VOID
    rows, columns = np.mgrid[0:120, 0:160]
    for folder in ("images", "labels"):
        (root / "test" / folder).mkdir(parents=True)
    for i, name in enumerate(IDS):
        picture = np.dstack([rows + i, columns, rows * 0 + 90]).astype(np.uint8)
        Image.fromarray(picture).save(root / f"test/images/{name}.png")
        Image.fromarray(labels).save(root / f"test/labels/{name}.png")
    return root


@pytest.fixture
def cutouts(tmp_path):
    """Two objects, one in a folder of its own, and a picture that is none."""
    folder = tmp_path / "cutouts"
    (folder / "round").mkdir(parents=True)
    rows, columns = np.mgrid[0:60, 0:60]
    colours = np.dstack([rows * 4, columns * 4, rows * 0 + 30])
    for name, seen in ("box.png", columns >= 0), ("round/disc.png", np.hypot(rows - 30, columns - 30) < 29):
        Image.fromarray(np.dstack([colours, seen * 255]).astype(np.uint8)).save(folder / name)
    Image.fromarray(colours.astype(np.uint8)).save(folder / "photo.png")
    return folder


def read(path):
    return np.asarray(Image.open(path))


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_pictures_labels_and_masks(camvid, cutouts, tmp_path):
    out = tmp_path / "out"
    done = paste(camvid, cutouts, out)
    assert done.returncode == 0, done.stderr
    assert "left out: photo.png is no cut-out, it holds 3 channels of 8 bits" in done.stderr
    assert "20 frames, 2 of them clean, 0 without a place" in done.stdout and "2 cut-outs" in done.stdout

    record = json.loads((out / "paste.json").read_text())
    assert [frame["id"] for frame in record["frames"]] == IDS
    assert sum(frame["clean"] for frame in record["frames"]) == 2
    for frame in record["frames"]:
        picture, labels, ood = (read(out / f"{kind}/{frame['id']}.png") for kind in ("images", "labels", "ood"))
        source = read(camvid / f"test/images/{frame['id']}.png")
        truth = read(camvid / f"test/labels/{frame['id']}.png")
        assert labels.shape == ood.shape == truth.shape and picture.shape == source.shape
        assert np.array_equal(labels == UNKNOWN, ood == 1)
        assert np.array_equal(labels == IGNORE, ood == IGNORE)
        known = labels < UNKNOWN
        assert np.array_equal(labels[known], truth[known]) and not ood[known].any()
        assert np.array_equal(picture[known], source[known])
        if frame["clean"]:
            assert not frame["objects"] and np.array_equal(picture, source)
            assert np.array_equal(labels == IGNORE, truth == VOID)
        else:
            assert 1 <= len(frame["objects"]) <= 2 and (labels == UNKNOWN).sum() >= 50
        for thing in frame["objects"]:
            left, top, width, height = thing["box"]
            assert truth[top + height - 1, min(left + width // 2, 159)] == ROAD


def test_the_record_says_what_it_was_made_of(camvid, cutouts, tmp_path):
    out = tmp_path / "out"
    assert paste(camvid, cutouts, out, "--objects", "3", "--scale", "0.5..0.7", "--clean", "0").returncode == 0
    record = json.loads((out / "paste.json").read_text())
    assert (record["seed"], record["clean"], record["objects"], record["scale"]) == (7, 0, [3, 3], [0.5, 0.7])
    source = record["source"]
    assert (source["dataset"], source["classes"], len(source["set_hash"])) == ("camvid", 11, 64)
    check = subprocess.run(
        ["sha256sum", "--check"], input="\n".join(record["cutouts"]), cwd=cutouts, capture_output=True, text=True
    )
    assert check.returncode == 0 and "round/disc.png: OK" in check.stdout, check.stderr


def test_a_seed_gives_the_same_set_on_any_number_of_threads(camvid, cutouts, tmp_path):
    for out, threads in ("one", 1), ("four", 4):
        assert paste(camvid, cutouts, tmp_path / out, threads=threads).returncode == 0
    one = digests(tmp_path / "one")
    assert len(one) == 3 * 20 + 1 and one == digests(tmp_path / "four")
    assert paste(camvid, cutouts, tmp_path / "other", "--seed", "8").returncode == 2, "one seed"


def test_a_frame_does_not_depend_on_the_others(camvid, cutouts, tmp_path):
    assert paste(camvid, cutouts, tmp_path / "all", "--clean", "0").returncode == 0
    assert paste(camvid, cutouts, tmp_path / "some", "--clean", "0", "--limit", "3").returncode == 0
    few, every = digests(tmp_path / "some"), digests(tmp_path / "all")
    assert len(few) == 3 * 3 + 1
    assert all(every[name] == digest for name, digest in few.items() if name != "paste.json")


def test_the_result_is_a_folder_and_folders_in_it_are_kept(camvid, cutouts, tmp_path):
    first, deep, second = tmp_path / "first", tmp_path / "deep", tmp_path / "second"
    assert paste(camvid, cutouts, first).returncode == 0
    for kind in "images", "labels", "ood":
        shutil.copytree(first / kind, deep / kind / "city")
    without_k = paste(deep, cutouts, second, dataset="folder")
    assert without_k.returncode == 2 and "--classes" in without_k.stderr
    done = paste(deep, cutouts, second, "--classes", "11", "--clean", "1", dataset="folder")
    assert done.returncode == 0, done.stderr
    assert digests(second / "images/city") == digests(first / "images")
    assert digests(second / "labels/city") == digests(first / "labels")
    assert digests(second / "ood/city") == digests(first / "ood")

    wrong_k = paste(deep, cutouts, tmp_path / "third", "--classes", "9", dataset="folder")
    assert wrong_k.returncode == 1 and "failed: " in wrong_k.stderr


def test_an_unreadable_frame_is_named_and_the_others_are_made(camvid, cutouts, tmp_path):
    (camvid / f"test/images/{IDS[4]}.png").write_bytes(b"no picture")
    (cutouts / "broken.png").write_bytes(b"no picture")
    done = paste(camvid, cutouts, tmp_path / "out")
    assert done.returncode == 1
    assert f"{IDS[4]}.png is no image" in done.stderr and "broken.png is no image" in done.stderr
    part = tmp_path / "out.part"
    assert not (tmp_path / "out").exists() and f"{part} keeps its name" in done.stderr
    record = json.loads((part / "paste.json").read_text())
    assert [frame["id"] for frame in record["frames"]] == IDS[:4] + IDS[5:]
    assert len(list((part / "images").iterdir())) == 19

    again = paste(camvid, cutouts, tmp_path / "out")
    assert again.returncode == 2 and f"{part} is there: an earlier run left it" in again.stderr


def test_the_set_has_its_name_when_it_is_whole(camvid, cutouts, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for out in "not/there", "link":
        assert paste(camvid, cutouts, tmp_path / out, "--limit", "2").returncode == 0
        assert (tmp_path / out / "paste.json").exists() and not list(tmp_path.rglob("*.part"))
    assert (tmp_path / "link").is_symlink()


def test_frames_without_a_place_are_counted_and_nothing_but_them_is_an_error(camvid, cutouts, tmp_path):
    for name in IDS[1:]:  # too small for any object
        Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(camvid / f"test/images/{name}.png")
        Image.fromarray(np.full((8, 16), ROAD, np.uint8)).save(camvid / f"test/labels/{name}.png")
    done = paste(camvid, cutouts, tmp_path / "out", "--clean", "0")
    assert done.returncode == 0 and "20 frames, 0 of them clean, 19 without a place" in done.stdout, done.stderr
    done = paste(camvid, cutouts, tmp_path / "none", "--clean", "0", "--scale", "0.01")
    assert done.returncode == 2 and "no frame had ground to stand on" in done.stderr
    assert not (tmp_path / "none").exists() and f"{tmp_path / 'none.part'} is left" in done.stderr
    assert paste(camvid, cutouts, tmp_path / "clean", "--clean", "1").returncode == 0


def test_what_cannot_be_asked_for(camvid, cutouts, tmp_path):
    out = tmp_path / "out"

    def refused(*options, cutouts=cutouts, **others):
        done = paste(camvid, cutouts, out, *options, **others)
        assert done.returncode == 2 and not (out / "images").exists(), done.stderr
        return done.stderr

    assert "no such" in refused("--objects", "a..b") and "1 or more" in refused("--objects", "0..2")
    assert "2..1" in refused("--scale", "2..1") and "0 to 1" in refused("--clean", "1.5")
    assert "horizon" in refused("--horizon", "1")
    assert "camwid" in refused(dataset="camwid")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no cut-out" in refused(cutouts=empty)
    assert "missing" in refused(cutouts=tmp_path / "missing")
    out.mkdir()
    (out / "note.txt").write_text("mine")
    assert f"{out} is not empty" in refused()
    assert "invalid value '0' for '--limit" in refused("--limit", "0")

    def refused_there(out):
        done = paste(camvid, cutouts, out)
        assert done.returncode == 2 and not list(tmp_path.rglob("*.part")), done.stderr
        return done.stderr

    assert "Not a directory" in refused_there(out / "note.txt")
    assert "lies in --root" in refused_there(camvid / "new/set")
    (tmp_path / "link").symlink_to(cutouts)
    assert "lies in --cutouts" in refused_there(tmp_path / "link/set")
