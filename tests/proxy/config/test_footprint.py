import os
from pathlib import Path

from proxy.config.footprint import (
    config_files,
    content_digest,
    read_mounts,
    replaced_behind_us,
    single_file_mounts,
    watched_places,
)


def test_a_directory_is_its_yaml_files_by_name(tmp_path: Path) -> None:
    for name in (
        "20-b.yml",
        "10-a.yaml",
        ".10-a.yaml.swp",
        "..data",
        "policies.test.yaml",
        "notes.txt",
        ".x.yaml",
    ):
        (tmp_path / name).write_text("version: 1")
    (tmp_path / "deeper").mkdir()
    assert [file.name for file in config_files(tmp_path)] == ["10-a.yaml", "20-b.yml"]


def test_a_file_is_itself_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "config.test.yaml"
    file.write_text("version: 1")
    assert config_files(file) == [file]


def test_the_digest_sees_content_names_and_absence(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    seen = [content_digest([tmp_path])]
    file.write_text("version: 1")
    seen.append(content_digest([tmp_path]))
    file.write_text("")
    seen.append(content_digest([tmp_path]))
    file.rename(tmp_path / "b.yaml")
    seen.append(content_digest([tmp_path]))
    seen += [content_digest([file]), content_digest([tmp_path / "gone" / "a.yaml"])]
    assert len(set(seen)) == len(seen)


def test_touching_a_file_does_not_change_the_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("version: 1")
    before = content_digest([file])
    os.utime(file, (1, 1))
    file.chmod(0o600)
    assert content_digest([file]) == before


def test_an_unreadable_file_is_a_state_and_not_an_error(tmp_path: Path) -> None:
    loop = tmp_path / "a.yaml"
    loop.symlink_to(loop)
    assert content_digest([loop]) != content_digest([tmp_path / "missing.yaml"])
    assert loop not in watched_places([loop])


def test_every_link_on_the_way_has_its_directory_watched(tmp_path: Path) -> None:
    work, links = tmp_path / "work", tmp_path / "links"
    (work / "abc" / "cfg").mkdir(parents=True)
    links.mkdir()
    (work / "abc" / "cfg" / "a.yaml").write_text("version: 1")
    (links / "current").symlink_to("../work/abc")
    places = watched_places([links / "current" / "cfg"])
    assert links in places
    assert links / "current" / "cfg" in places
    assert links / "current" / "cfg" / "a.yaml" in places


def test_absolute_links_are_followed(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    outer.mkdir()
    (inner / "real.yaml").write_text("version: 1")
    (inner / "second.yaml").symlink_to(inner / "real.yaml")
    (outer / "first.yaml").symlink_to(inner / "second.yaml")
    assert {inner, outer} <= set(watched_places([outer / "first.yaml"]))


def test_a_missing_path_is_awaited_at_its_nearest_ancestor(tmp_path: Path) -> None:
    assert set(watched_places([tmp_path / "not" / "yet" / "a.yaml"])) == {tmp_path}


def test_a_replaced_place_is_another_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("1")
    before = watched_places([file])
    (tmp_path / "new").write_text("2")
    (tmp_path / "new").replace(file)
    assert watched_places([file]) != before


def test_single_file_mounts_are_found_in_the_mount_table(tmp_path: Path) -> None:
    spaced = tmp_path / "with space"
    spaced.mkdir()
    mounted, plain = spaced / "a.yaml", tmp_path / "b.yaml"
    mounted.write_text("1")
    plain.write_text("1")
    escaped = str(mounted.resolve()).replace(" ", "\\040")
    table = (
        "22 1 0:20 / / rw - ext4 /dev/sda rw\n"
        f"36 22 98:0 /mnt1 {tmp_path.resolve()} rw - ext4 /dev/sdb rw\n"
        f"37 22 98:0 /x {escaped} rw,noatime master:1 - ext4 /dev/sdb rw\n"
        "broken line\n"
    )
    assert single_file_mounts([spaced, plain], table) == [mounted]


def test_no_mount_table_is_no_mounts(tmp_path: Path) -> None:
    assert read_mounts(tmp_path / "missing") == ""


def test_files_that_still_have_a_name_were_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("1")
    assert replaced_behind_us([tmp_path, tmp_path / "missing.yaml"]) == []


def test_an_open_file_without_a_name_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("1")
    with file.open() as held:
        file.unlink()
        nameless = Path(f"/proc/self/fd/{held.fileno()}")
        expected = [nameless] if nameless.exists() else []
        assert replaced_behind_us([nameless]) == expected
