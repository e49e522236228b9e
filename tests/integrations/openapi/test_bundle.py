from __future__ import annotations

from pathlib import Path

from integrations.openapi.bundle import Bundle, Files


def test_relative_files_are_followed_in_both_directions(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.yaml").write_text(
        "A: {$ref: 'b.json#/B'}\nSelf: {$ref: '#/A'}\nBack: {$ref: '../m.yaml#/x'}\n"
    )
    (tmp_path / "parts" / "b.json").write_text('{"B": {"type": "string"}}')
    document = {"r": {"$ref": "parts/a.yaml#/A"}, "s": [{"$ref": "#/r"}], "t": {"$ref": "parts/b.json"}}
    bundle = Bundle(Files(tmp_path, tmp_path / "m.yaml"))
    bundle.include(document)
    numbers = {entry[0]: index for index, entry in enumerate(bundle.dependencies)}
    a, b = numbers["parts/a.yaml"], numbers["parts/b.json"]
    assert document["r"] == {"$ref": f"#/x-files/{a}/A"}
    assert document["t"] == {"$ref": f"#/x-files/{b}"}
    assert bundle.files[a]["A"] == {"$ref": f"#/x-files/{b}/B"}
    assert bundle.files[a]["Self"] == {"$ref": f"#/x-files/{a}/A"}
    assert bundle.files[a]["Back"] == {"$ref": "#/x"}
    assert bundle.reasons == {}


def test_files_outside_the_root_and_other_hosts_are_not_read(tmp_path: Path) -> None:
    root = tmp_path / "config"
    root.mkdir()
    (tmp_path / "secret.yaml").write_text("a: 1")
    (root / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    names = ["../secret.yaml", "link.yaml", "https://example.com/x.yaml", "missing.yaml", "/etc/passwd"]
    document = {str(index): {"$ref": f"{name}#/a"} for index, name in enumerate(names)}
    bundle = Bundle(Files(root, root / "m.yaml"))
    bundle.include(document)
    assert [entry["$ref"] for entry in document.values()] == [f"{name}#/a" for name in names]
    assert (bundle.files, sorted(bundle.reasons)) == ([], sorted(f"{name}#/a" for name in names))
